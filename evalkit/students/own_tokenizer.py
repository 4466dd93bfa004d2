"""A tokenizer of the student's own, trained on the training texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PAD, UNKNOWN, START, END = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def own_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """``trained_bpe`` as the fast tokenizer that a Hugging Face folder has."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=trained_bpe(texts, vocabulary),
        add_prefix_space=True,  # otherwise it takes the space off again, and a text's first word is another token
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
    )


def trained_bpe(texts: Sequence[str], vocabulary: int) -> Any:
    """A tokenizer of at most ``vocabulary`` tokens: lower case, then byte-level BPE (Sennrich 2016, on bytes).

    Every text can be written in it, also in scripts that ``texts`` do not have; accents are kept. The same texts in
    the same order give the same tokenizer.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=ends)
    return tokenizer

"""A BERT encoder with masked mean pooling and a linear head: the shape of the small teachers and students here."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanPooledClassifier(BertPreTrainedModel):
    """Logits [rows, labels] from the mean of the last hidden states of the tokens that are not padding.

    Mean pooling is what sentence encoders such as all-MiniLM-L6-v2 were trained with; their [CLS]
    vector was never trained to stand for the text.
    """

    def __init__(self, config) -> None:  # type: ignore[no-untyped-def]
        super().__init__(config)
        self.num_labels = config.num_labels
        self.bert = BertModel(config, add_pooling_layer=False)
        dropout = config.classifier_dropout if config.classifier_dropout is not None else 0.1
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def pooled(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Text vectors [rows, hidden]."""
        states: Tensor = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]
        return masked_mean(states, attention_mask)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> SequenceClassifierOutput:
        """Logits, and where asked the states before and after every layer, and every layer's attention."""
        encoded = self.bert(
            input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        return SequenceClassifierOutput(
            logits=self.classifier(self.dropout(masked_mean(encoded[0], attention_mask))),
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )


def masked_mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Text vectors [rows, hidden]: the mean of the states of the tokens that are not padding."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    mean: Tensor = (states * mask).sum(1) / mask.sum(1).clamp(min=1.0)
    return mean


def parameters(model: nn.Module) -> int:
    """Number of weights of ``model``."""
    return sum(weights.numel() for weights in model.parameters())


def is_finite(loss: Tensor) -> bool:
    """Whether a loss may be used for a step."""
    return bool(torch.isfinite(loss).item())

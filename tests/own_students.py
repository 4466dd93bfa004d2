"""Torch modules of a user's own, as source code for a file beside gate.yaml."""

BAG = """
import torch
from torch import nn

import pooled


class Bag(nn.Module):
    def __init__(self, vocabulary, labels, width):
        super().__init__()
        self.embeddings = nn.Embedding(vocabulary, width)
        self.head = nn.Linear(width, labels)

    def forward(self, input_ids, attention_mask):
        return self.head(pooled.mean(self.embeddings(input_ids), attention_mask))


def build(tokenizer, labels, width=16):
    return Bag(len(tokenizer), len(labels), width)
"""
POOLED = """
def mean(vectors, mask):
    mask = mask.unsqueeze(-1).float()
    return (vectors * mask).sum(1) / mask.sum(1).clamp(min=1)
"""
CONVOLVED = """
from types import SimpleNamespace

import torch
from torch import nn


class Convolved(nn.Module):
    '''Two convolutions over tokens and the masked maximum; its hidden states where they are asked for.'''

    def __init__(self, vocabulary, labels, width):
        super().__init__()
        self.embeddings = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(2))
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(width, labels)

    def forward(self, input_ids, attention_mask, output_hidden_states=False):
        mask = attention_mask.unsqueeze(-1).float()
        states = [self.embeddings(input_ids) * mask]
        for layer in self.layers:
            states.append(torch.relu(layer(states[-1].transpose(1, 2))).transpose(1, 2) * mask)
        logits = self.head(self.dropout(states[-1].max(dim=1).values))
        return SimpleNamespace(logits=logits, hidden_states=tuple(states) if output_hidden_states else None)


def build(tokenizer, labels, *, width):
    return Convolved(len(tokenizer), len(labels), width)
"""

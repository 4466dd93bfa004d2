"""From a plan to the target that it names."""

from __future__ import annotations

from urllib.parse import quote

from loadtest.targets.chat import ChatTarget
from loadtest.targets.classify import ClassifyTarget
from loadtest.targets.open_inference import OpenInferenceTarget
from loadtest.targets.plan import TargetKind, TargetPlan
from loadtest.targets.target import Target
from loadtest.targets.template import TemplateTarget


def target_of(plan: TargetPlan) -> Target:
    """The target, ready to write bodies and to read answers. Raises InputError for a broken template."""
    match plan.kind:
        case TargetKind.CLASSIFY:
            return ClassifyTarget(plan.path or "/v1/classify")
        case TargetKind.OPEN_INFERENCE:
            path = plan.path or f"/v2/models/{quote(plan.model or '', safe='')}/infer"
            return OpenInferenceTarget(path, plan.label_pointer)
        case TargetKind.CHAT:
            return ChatTarget(plan.path or "/v1/chat/completions", plan.model or "", plan.max_tokens)
        case TargetKind.TEMPLATE:
            return TemplateTarget(plan.path or "", plan.template or "", plan.label_pointer)

"""What plug-ins there are and what options they have; the configuration is checked against this."""

from __future__ import annotations

from pipeline.toml import Registry


def build_registry() -> Registry:
    """The option models of all spiders, rules and notifiers that are installed."""
    from alerts.notifiers.registry import notifiers
    from alerts.registry import rules
    from crawlers.registry import spiders

    return Registry(
        spiders={name: spider.Options for name, spider in spiders().items()},
        rules={name: rule.Options for name, rule in rules().items()},
        notifiers={name: notifier.Options for name, notifier in notifiers().items()},
    )

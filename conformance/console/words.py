"""What the console says, from the messages that are built into it."""

import pathlib
import re

from fluent.runtime import FluentBundle, FluentResource

LOCALES = pathlib.Path(__file__).resolve().parents[2] / "crates" / "console" / "locales"
TAGS = {"en": "en", "zh": "zh-CN"}


class Words:
    """The messages of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        # Marks of direction belong to the page, not to what is compared.
        self.bundle = FluentBundle([TAGS[language]], use_isolating=False)
        for file in sorted((LOCALES / language).glob("*.ftl")):
            self.bundle.add_resource(FluentResource(file.read_text(encoding="utf-8")))

    def say(self, key: str, **values: object) -> str:
        """A message as a reader sees it, without its markup."""
        pattern = self.bundle.get_message(key).value
        text, problems = self.bundle.format_pattern(pattern, values)
        if problems:
            raise ValueError(f"{key}: {problems}")
        return re.sub(r"</?\w+>", "", text)

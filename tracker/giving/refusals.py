"""What will not do, said in a sentence."""


class Refusal(ValueError):
    """A sentence for whoever typed something that will not do. Its values are kept apart, for pages in another language.

    `words` is a text of the editors' catalogue, such as `“%(text)s” is not a month.`
    """

    def __init__(self, words: str, **values: object) -> None:
        super().__init__(words % values if values else words)
        self.words = words
        self.values = values

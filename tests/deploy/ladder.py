"""What a ScaledObject's formula comes to: the part of KEDA's expression language that the chart writes, and how the
HPA turns the answer into processes."""
import math
import operator
import re

TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([a-z]\w*)|(<=|[-+*/()<?:]))")
PAIRS = {"<": operator.lt, "<=": operator.le, "+": operator.add, "-": operator.sub, "*": operator.mul,
         "/": operator.truediv}
TOLERANCE = 0.1  # the HPA leaves everything as it is within it


class Formula:
    """condition ? a : b, < and <=, sums, products, numbers, variables and parentheses; anything else is an error."""

    def __init__(self, text):
        self.tokens, self.at, at = [], 0, 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise ValueError(f"no formula from {text[at:]!r}")
            self.tokens.append(found.groups())
            at = found.end()
        self.evaluate = self._choice()
        if self.at != len(self.tokens):
            raise ValueError(f"left over: {self.tokens[self.at:]}")

    def __call__(self, **values):
        return self.evaluate(values)

    def _next(self, *marks):
        """The next mark, if it is one of these."""
        if self.at < len(self.tokens) and self.tokens[self.at][2] in marks:
            self.at += 1
            return self.tokens[self.at - 1][2]
        return None

    def _must(self, mark):
        if not self._next(mark):
            raise ValueError(f"{mark} is missing at {self.tokens[self.at:]}")

    def _choice(self):
        condition = self._pairs(("<", "<="), lambda: self._pairs("+-", lambda: self._pairs("*/", self._value)))
        if not self._next("?"):
            return condition
        first = self._choice()
        self._must(":")
        second = self._choice()
        return lambda values: first(values) if condition(values) else second(values)

    def _pairs(self, marks, part):
        """One part, or more with one of the marks between each two; from left to right."""
        left = part()
        while mark := self._next(*marks):
            left = self._pair(PAIRS[mark], left, part())
        return left

    @staticmethod
    def _pair(pair, left, right):
        return lambda values: pair(left(values), right(values))

    def _value(self):
        if self._next("("):
            inner = self._choice()
            self._must(")")
            return inner
        if self.at == len(self.tokens) or self.tokens[self.at][2]:
            raise ValueError(f"a value is missing at {self.tokens[self.at:]}")
        number, name, _ = self.tokens[self.at]
        self.at += 1
        return (lambda _: float(number)) if number else (lambda values: values[name])


def replicas(value, current, least, most):
    """What the HPA makes of an external metric of that value, AverageValue with target 1, once it has settled."""
    if abs(value / current - 1) <= TOLERANCE:
        return min(max(current, least), most)
    return min(max(math.ceil(round(value, 3)), least), most)  # metrics are in thousandths

"""Cases made by chance, always the same ones: they find what nobody thought of.

What the two sides do differently by design stays out (divergences.ts has hand-written cases for it): the loop turns after each feed to a read that waits, and
while a read(-1) waits there is nothing else to look at.
"""


class Dice:
    """A generator of our own, so that the cases do not depend on Python's version. (Numerical Recipes' LCG)"""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) % n

    def pick(self, choices):
        return choices[self.below(len(choices))]


def random_cases(count):
    return [random_case(number) for number in range(1, count + 1)]


def random_case(number):
    dice = Dice(number * 7919)
    limit = dice.pick([1, 2, 3, 4, 5, 6, 8, 12])
    steps = []
    waiting = None
    ended = False
    for turn in range(6 + dice.below(14)):
        roll = dice.below(10)
        if roll < 4 and not ended:
            for _ in range(1 + dice.below(3)):
                size = dice.pick([1, 1, 2, 3, 5, 8, 3 * limit])
                steps.append(["feed", "".join(dice.pick("aaab\r\n;") for _ in range(size))])
            steps.append(["settled", waiting] if waiting else ["turn"])
        elif roll == 4 and not ended and dice.below(3) == 0:
            ended = True
            steps.append(["feedEof"])
            steps.append(["turn"])
        elif roll == 5 and waiting is None:
            steps.append(["atEof"])
        elif waiting is not None:
            steps.append(["settled", waiting])
            if dice.below(2) == 0:
                steps.append(["cancel", waiting])
                steps.append(["await", waiting])
                waiting = None
        else:
            waiting = f"r{turn}"
            steps.append(["start", waiting, random_call(dice, limit)])
            steps.append(["settled", waiting])
            if dice.below(2) == 0 and not ended:
                steps.append(["feed", dice.pick(["\n", ";", "\r\n", "b\n", "aaaaaa\r\n", "a;"])])
            steps.append(["cancel", waiting])
            steps.append(["await", waiting])
            waiting = None
            if dice.below(4) == 0:
                waiting = f"w{turn}"
                steps.append(["start", waiting, random_call(dice, limit)])
                steps.append(["settled", waiting])
    if waiting is not None:
        steps.append(["cancel", waiting])
        steps.append(["await", waiting])
    return {"name": f"made by chance, number {number}", "limit": limit, "steps": steps}


def random_call(dice, limit):
    return dice.pick(
        [
            ["readline"],
            ["readline"],
            ["read", 1 + dice.below(2 * limit)],
            ["readexactly", 1 + dice.below(2 * limit)],
            ["readuntil", dice.pick([";", "\r\n", "ab", "a\n"])],
            ["readuntil", dice.pick([["\n", "\r\n"], [";", "ab;"], ["aab", "b", "\n"], ["\r\n;", "aa"]])],
        ]
    )

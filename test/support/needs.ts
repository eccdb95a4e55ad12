/** What a test needs of the machine that it runs on: options for `it()` and `describe()`, which skip it where that is missing. */

/** The reason to skip; `false`: there is none. */
export interface Need {
  readonly skip: string | false;
}

/** The first of several reasons to skip. */
export function needs(...all: readonly Need[]): Need {
  return { skip: all.find(({ skip }) => skip !== false)?.skip ?? false };
}

export const needsRoot: Need = { skip: process.getuid?.() !== 0 && "needs root" };

export const needsLinux: Need = { skip: process.platform !== "linux" && "needs Linux" };

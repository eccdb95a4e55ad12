/** What became of a call, as plain data that a child process can send. */
export interface Outcome {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
}

/** The error that a call rejects with, as plain data; `null` if it does not. */
export async function outcome(call: () => Promise<unknown>): Promise<Outcome | null> {
  try {
    await call();
    return null;
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    return { name, code, message };
  }
}

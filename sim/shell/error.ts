/** A mistake in a line, told to whoever typed it; nothing was done. */
export class ShellError extends Error {
  override readonly name = 'ShellError';
  readonly status: number;
  constructor(message: string, status = -22) {
    super(message);
    this.status = status;
  }
}

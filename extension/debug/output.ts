/** What a program printed and the kernel said, each told once. */
import { textOf } from '../../sim/index.ts';
import type { Debuggee } from '../session/types.ts';

export class Output {
  private printed = 0;
  private logged = -1;
  private readonly say: (text: string, category?: string) => void;

  constructor(say: (text: string, category?: string) => void) {
    this.say = say;
  }

  /** From here on; what was said before is not told. */
  begin(): void {
    this.printed = 0;
    this.logged = -1;
  }

  /** It goes on: what the kernel says from here on is told. */
  goesOn(debuggee: Debuggee): void {
    if (this.logged < 0) this.hasSeenLog(debuggee);
  }

  hasSeenLog({ machine }: Debuggee): void {
    this.logged = machine.kernel.state.log.length;
  }

  /** What it printed since it stood the last time, and what the kernel said. */
  tell(debuggee: Debuggee, prepared: number): void {
    const { output } = debuggee.program;
    if (this.printed > output.length) this.printed = 0;
    for (const line of output.slice(Math.max(this.printed, prepared))) this.say(`${line}\n`, 'stdout');
    this.printed = output.length;
    const { log } = debuggee.machine.kernel.state;
    if (this.logged < 0 || this.logged > log.length) this.logged = log.length;
    for (const { text, warn } of log.slice(this.logged)) this.say(`${warn ? 'WARNING: ' : ''}${text}\n`, 'stdout');
    this.logged = log.length;
  }

  /** What it returned. */
  tellValue(debuggee: Debuggee): void {
    const { value } = debuggee.program;
    if (!value || value.kind === 'void') return;
    const slot = value.kind === 'integer' ? value.value : value.kind === 'aggregate' ? value.object : value;
    this.say(`returned ${textOf(debuggee.machine, { slot, type: value.kind === 'integer' ? value.type : '' })}\n`);
  }
}

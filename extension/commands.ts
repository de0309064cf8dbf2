/**
 * Every command: its arguments, and what people read of it. Data only, without vscode, so that the manifest can be
 * checked against it. `register.ts` gives each its handler.
 */

/** What may be handed to a command. Keybindings hand nothing, or anything: handlers check. */
export interface CommandArguments {
  'zonescope.openDocuments': [];
  'zonescope.openTour': [];
  'zonescope.openZones': [];
  'zonescope.openPagemap': [];
  'zonescope.showState': [];
  'zonescope.runExampleHere': [];
  'zonescope.debugExampleHere': [];
  'zonescope.continueExample': [];
  'zonescope.stopExample': [];
  'zonescope.editArguments': [uri?: string, scene?: string];
  'zonescope.stepBack': [];
  'zonescope.stepForward': [];
  'zonescope.goToStep': [step?: number];
  'zonescope.resetMachine': [];
  'zonescope.chooseMachine': [];
  'zonescope.importMachine': [];
  'zonescope.chooseRelease': [];
  'zonescope.goBack': [];
  'zonescope.openShell': [];
  'zonescope.showPage': [pfn?: number];
  'zonescope.goToTerm': [];
  'zonescope.treatAsKernelDocument': [];
  'zonescope.refreshDocuments': [];
  'zonescope.checkDocument': [];
  'zonescope.checkAgainst': [release?: string];
  'zonescope.clearComparison': [];
  'zonescope.nextFailedClaim': [];
  'zonescope.previousFailedClaim': [];
  'zonescope.runClaim': [uri?: string, claim?: string];
  'zonescope.showLog': [];
  'zonescope.showMenu': [];
  'zonescope.explainFinding': [code: string, release?: string];
  'zonescope.turnOffFinding': [code: string];
  'zonescope.runFile': [uri?: string, name?: string];
  'zonescope.debugFile': [uri?: string, name?: string];
  'zonescope.debugScene': [uri: string, scene: string, variant?: string];
  'zonescope.runScene': [uri: string, scene: string, variant: string];
  'zonescope.openDocument': [uri: string];
  'zonescope.reveal': [startPfn: number, endPfn: number];
}

export type CommandId = keyof CommandArguments;

export interface CommandInfo {
  /** Without the category. */
  readonly title: string;
  /** A codicon, for buttons. */
  readonly icon?: string;
  /** When the command does something: a `when` clause. */
  readonly enablement?: string;
  /** Only run by our own lenses, trees and hovers: not contributed. */
  readonly internal?: true;
}

export const CATEGORY = 'Zonescope';

/** Keys of `when` clauses that the extension sets. */
export const CONTEXT_KEYS = [
  'zonescope.openDocuments',
  'zonescope.canStepBack',
  'zonescope.canStepForward',
  'zonescope.examplePaused',
  'zonescope.exampleActive',
  'zonescope.machineSetAside',
  'zonescope.isComparing',
] as const;
export type ContextKey = (typeof CONTEXT_KEYS)[number];

export const COMMANDS: Readonly<Record<CommandId, CommandInfo>> = {
  'zonescope.openDocuments': { title: 'Open Documents', icon: 'book' },
  'zonescope.openTour': { title: 'Open Tour', icon: 'compass' },
  'zonescope.openZones': { title: 'Open Zones', icon: 'layers' },
  'zonescope.openPagemap': { title: 'Open Pagemap', icon: 'table' },
  'zonescope.showState': { title: 'Show State', icon: 'list-tree' },
  'zonescope.runExampleHere': {
    title: 'Run Example Here',
    icon: 'play',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.debugExampleHere': {
    title: 'Debug Example Here',
    icon: 'debug-alt',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.continueExample': {
    title: 'Continue',
    icon: 'debug-continue',
    enablement: 'zonescope.examplePaused',
  },
  'zonescope.stopExample': { title: 'Stop', icon: 'debug-stop', enablement: 'zonescope.exampleActive' },
  'zonescope.editArguments': {
    title: 'Edit Arguments of Example Here…',
    icon: 'edit',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.stepBack': { title: 'Step Back', icon: 'arrow-left', enablement: 'zonescope.canStepBack' },
  'zonescope.stepForward': { title: 'Step Forward', icon: 'arrow-right', enablement: 'zonescope.canStepForward' },
  'zonescope.goToStep': { title: 'Go to Step…', icon: 'history' },
  'zonescope.resetMachine': { title: 'Reset Machine', icon: 'debug-restart' },
  'zonescope.chooseMachine': { title: 'Choose Machine…', icon: 'server' },
  'zonescope.importMachine': { title: 'Import Machine…', icon: 'desktop-download' },
  'zonescope.chooseRelease': { title: 'Choose Release…', icon: 'tag' },
  'zonescope.goBack': {
    title: 'Go Back to the Machine Before',
    icon: 'discard',
    enablement: 'zonescope.machineSetAside',
  },
  'zonescope.openShell': { title: 'Open Shell', icon: 'terminal' },
  'zonescope.showPage': { title: 'Show Page…', icon: 'search' },
  'zonescope.goToTerm': { title: 'Go to Term…', icon: 'symbol-keyword' },
  'zonescope.treatAsKernelDocument': { title: 'Treat This File as a Kernel Document', icon: 'book' },
  'zonescope.refreshDocuments': { title: 'Look for Documents Again', icon: 'refresh' },
  'zonescope.checkDocument': {
    title: 'Check Document',
    icon: 'checklist',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.checkAgainst': {
    title: 'Check against Release…',
    icon: 'git-compare',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.clearComparison': {
    title: 'Clear Comparison with Release',
    icon: 'clear-all',
    enablement: 'zonescope.isComparing',
  },
  'zonescope.nextFailedClaim': {
    title: 'Go to Next Failed Claim',
    icon: 'arrow-down',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.previousFailedClaim': {
    title: 'Go to Previous Failed Claim',
    icon: 'arrow-up',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.runClaim': {
    title: 'Run Claim Here',
    icon: 'play',
    enablement: 'resourcePath in zonescope.openDocuments',
  },
  'zonescope.showLog': { title: 'Show Log', icon: 'output' },
  'zonescope.showMenu': { title: 'Show Menu', icon: 'menu' },
  'zonescope.explainFinding': { title: 'Explain Finding', internal: true },
  'zonescope.turnOffFinding': { title: 'Turn off Finding', internal: true },
  'zonescope.runFile': { title: 'Run in Simulator', icon: 'play' },
  'zonescope.debugFile': { title: 'Debug in Simulator', icon: 'debug-alt' },
  'zonescope.debugScene': { title: 'Debug', internal: true },
  'zonescope.runScene': { title: 'Run', internal: true },
  'zonescope.openDocument': { title: 'Open', internal: true },
  'zonescope.reveal': { title: 'Reveal in the Panels', internal: true },
};

export const COMMAND_IDS = Object.keys(COMMANDS) as readonly CommandId[];

/** Ids of views, panels and schemes, as the manifest has them. */
export const VIEWS = {
  state: 'zonescope.state',
  documents: 'zonescope.documents',
  timeline: 'zonescope.timeline',
} as const;
export const PANELS = { zones: 'zonescope.zones', pagemap: 'zonescope.pagemap' } as const;
/** The scheme of texts that are read-only here: the tour, and unpacked documents. */
export const SCHEME = 'zonescope';

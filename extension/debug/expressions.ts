/** The expression under the mouse while an example is debugged: up to the member that is pointed at. */
import * as vscode from 'vscode';

const CHAIN = /[A-Za-z_]\w*(?:(?:->|\.)[A-Za-z_]\w*|\[\w*\])*/g;
const WORD = /[A-Za-z_]\w*/;

export class Expressions implements vscode.EvaluatableExpressionProvider {
  provideEvaluatableExpression(
    document: vscode.TextDocument,
    position: vscode.Position,
  ): vscode.EvaluatableExpression | undefined {
    const word = document.getWordRangeAtPosition(position, WORD);
    if (word === undefined) return undefined;
    const { text } = document.lineAt(position.line);
    for (const match of text.matchAll(CHAIN)) {
      if (match.index > word.start.character || match.index + match[0].length < word.end.character) continue;
      // `a->b.c` with the mouse on `b` is `a->b`.
      return new vscode.EvaluatableExpression(
        new vscode.Range(position.line, match.index, position.line, word.end.character),
      );
    }
    return new vscode.EvaluatableExpression(word);
  }
}

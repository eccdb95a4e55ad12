/** The code editor of the playground: CodeMirror with the colours of the site. Loaded only on that page. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: tags.comment, color: "var(--code-comment)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.className], color: "var(--code-function)" },
]);

const setFailedLine = StateEffect.define();
const failedLine = StateField.define({
  create: () => Decoration.none,
  update(lines, { docChanged, effects, state }) {
    for (const effect of effects) {
      if (!effect.is(setFailedLine)) continue;
      const number = effect.value;
      if (number === null || number < 1 || number > state.doc.lines) return Decoration.none;
      return Decoration.set([Decoration.line({ class: "failed-line" }).range(state.doc.line(number).from)]);
    }
    return docChanged ? Decoration.none : lines;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/**
 * Creates an editor in an element. `run` is called for Ctrl+Enter. Tab leaves the editor after Escape, as CodeMirror documents.
 *
 * @returns `text()`, `setText(text)` and `markLine(number or null)`
 */
export function createEditor(parent, { text, run, changed }) {
  const runKey = { key: "Mod-Enter", run: () => (run(), true) };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        highlightActiveLine(),
        failedLine,
        EditorView.lineWrapping,
        syntaxHighlighting(colours),
        javascript(),
        keymap.of([runKey, ...defaultKeymap, ...historyKeymap, indentWithTab]),
        EditorView.contentAttributes.of({ "aria-label": "The program" }),
        EditorView.updateListener.of(({ docChanged }) => docChanged && changed()),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    setText: (value) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } }),
    markLine: (number) => view.dispatch({ effects: setFailedLine.of(number) }),
  };
}

/** The editor of a Python cell: CodeMirror in the colours of the book's code. Loaded at the first press of Run. */
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, keymap } from "@codemirror/view";
import { tagHighlighter, tags } from "@lezer/highlight";

export interface Editor {
  dom: HTMLElement;
  text(): string;
  /** Marks a line, or none. */
  mark(line: number | null): void;
}
export type EditorModule = { open: typeof open };

/** The classes of Pygments, which coloured the code before it was opened. */
const colours = tagHighlighter([
  { tag: [tags.keyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword], class: "k" },
  { tag: tags.operatorKeyword, class: "ow" },
  { tag: [tags.bool, tags.null], class: "kc" },
  { tag: tags.operator, class: "o" },
  { tag: tags.number, class: "mf" },
  { tag: tags.string, class: "s1" },
  { tag: tags.comment, class: "c1" },
  { tag: tags.function(tags.definition(tags.variableName)), class: "nf" },
]);

const markLine = StateEffect.define<number | null>();
const marked = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(lines, { docChanged, effects, state }) {
    for (const effect of effects) {
      if (!effect.is(markLine)) continue;
      const at = effect.value !== null && effect.value <= state.doc.lines ? state.doc.line(effect.value).from : null;
      return at === null ? Decoration.none : Decoration.set(Decoration.line({ class: "ab-line" }).range(at));
    }
    return docChanged ? Decoration.none : lines;
  },
  provide: (field) => EditorView.decorations.from(field),
});

export function open(doc: string, on: { run: () => void; changed: (text: string) => void }): Editor {
  const view = new EditorView({
    doc,
    extensions: [
      // Tab stays what leaves the editor.
      keymap.of([{ key: "Shift-Enter", run: () => (on.run(), true) }, ...defaultKeymap, ...historyKeymap]),
      history(),
      python(),
      indentUnit.of("    "),
      EditorState.tabSize.of(4),
      syntaxHighlighting(colours),
      marked,
      EditorView.contentAttributes.of({ "aria-label": "Python code" }),
      EditorView.updateListener.of((update) => update.docChanged && on.changed(update.state.doc.toString())),
    ],
  });
  return {
    dom: view.dom,
    text: () => view.state.doc.toString(),
    mark: (line) => view.dispatch({ effects: markLine.of(line) }),
  };
}

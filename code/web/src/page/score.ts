/** How a reader fares in a quiz. */
export class Score {
  /** For each question that was answered: was the first try right? */
  private first = new Map<number, boolean>();
  private solved = new Set<number>();

  constructor(private questions: number) {}

  choose(question: number, right: boolean) {
    if (!this.first.has(question)) this.first.set(question, right);
    if (right) this.solved.add(question);
  }

  /** Nothing until every question is solved. */
  get words(): string {
    if (this.solved.size < this.questions) return "";
    const firsts = [...this.first.values()].filter(Boolean).length;
    return `${firsts} of ${this.questions} at the first try.`;
  }
}

import { adagrad, type EffectiveValues, LR, recoveryAdagrad, recoveryRMSprop, rmsprop, sizes, STEPS, summary } from "../lib/effective";
import { count } from "../lib/format";
import { type Box, clip, el, hue, label, line, type Name, panel, px, rule, spread, type Stage, trace, widget } from "../lib/svg";

const TS = Array.from({ length: STEPS }, (_, i) => i + 1);

function draw(stage: Stage<EffectiveValues>, values: EffectiveValues): string {
  const { change, alpha, factor } = values, [cell] = stage.cells;
  const upper: Box = { ...cell, height: 112 }, lower: Box = { ...cell, y: cell.y + 122, height: cell.height - 122 };
  const g = sizes(values), ada = adagrad(g), rms = rmsprop(g, alpha);
  const right = 76;

  const a = panel(upper, { domain: [0, STEPS] }, { domain: [0.008, 125], log: true, label: "size of the gradient", ticks: [0.01, 1, 100] }, { left: 44, right, bottom: 22 });
  const b = panel(lower, { domain: [0, STEPS], label: "step t" }, { domain: [1e-6, 20], log: true, label: "effective step α / (√v + ε)" }, { left: 44, right });
  const [yAda, yRms] = spread([b.y(ada[STEPS - 1]) + 4, b.y(rms[STEPS - 1]) + 4], 16, b.box.y + 10, b.box.y + b.box.height - 2);
  const edge = b.box.x + b.box.width + 7;

  // How long each takes, as brackets from the change on.
  const first = factor < 1 ? b.box.y + b.box.height - 58 : b.box.y + 24; // where the curves are not
  const bracket = (y: number, name: Name, who: string, n: number) => {
    const from = b.x(change), to = Math.min(b.x(change + n), b.box.x + b.box.width), open = change + n > STEPS;
    const wide = `${who}: ${count(n, "step")}`;
    const room = to + 8 + 8.4 * wide.length < b.box.x + b.box.width + right, late = change > 550;
    return [
      el("path", { class: "ab-line", d: `M${px(from)},${y - 5}v10M${px(from)},${y}H${px(to)}${open ? `m-6,-5l6,5l-6,5` : `m0,-5v10`}`, ...hue(name) }),
      late ? label(from - 8, y + 4, wide, name, "end") : room ? label(to + 8, y + 4, wide, name) : label(from + 8, y - 7, wide, name),
    ];
  };

  stage.show(
    a.axes, rule(a, "x", change), clip(a.box, line(trace(TS, g, a.x, a.y), undefined, "ab-thick")),
    label(a.x(change) + (change > 700 ? -8 : 8), a.box.y + a.box.height / 2 + (factor < 1 ? -8 : 18), factor === 1 ? "no change" : `change at ${change}`, undefined, change > 700 ? "end" : "start"),
    b.axes, rule(b, "x", change),
    clip(b.box,
      line(trace([change + 1, STEPS], [LR / factor, LR / factor], b.x, b.y), undefined, "ab-thin ab-dash ab-faint"),
      line(trace(TS, ada, b.x, b.y), "Adagrad", "ab-thick"), line(trace(TS, rms, b.x, b.y), "RMSprop", "ab-thick")),
    label(edge, yAda, "AdaGrad", "Adagrad"), label(edge, yRms, "RMSProp", "RMSprop"),
    ...bracket(first, "RMSprop", "RMSProp", recoveryRMSprop(values)),
    ...bracket(first + 38, "Adagrad", "AdaGrad", recoveryAdagrad(values)),
  );
  return summary(values);
}

export default widget<EffectiveValues>({
  title: "The effective steps of AdaGrad and RMSProp while the size of the gradient changes",
  cells: [{ grow: 1, height: 420 }],
  draw,
});

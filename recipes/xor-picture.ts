/** Fig. 6.1 of Goodfellow, Bengio and Courville 2016: the four points in the input space, and where the textbook's hidden layer puts them. */
export function xorPicture(
  inputs: readonly (readonly number[])[],
  targets: readonly number[],
  hidden: readonly (readonly number[])[],
): string {
  const panels = [
    panel("input space: no line divides the colours", ["x₁", "x₂"], inputs, targets, 20),
    panel("hidden space: one line does", ["h₁", "h₂"], hidden, targets, 360, [
      [0.5, 0],
      [2.3, 0.9],
    ]),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 340" width="700" height="340" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
${panels.join("\n")}
</svg>
`;
}

type Pair = readonly [number, number];

function panel(
  title: string,
  axes: readonly [string, string],
  points: readonly (readonly number[])[],
  targets: readonly number[],
  left: number,
  line?: readonly [Pair, Pair],
): string {
  const px = (v: number): number => left + 40 + v * 110;
  const py = (v: number): number => 285 - v * 110;
  const parts = [
    `<text x="${left + 10}" y="28" font-weight="600" fill="#222">${title}</text>`,
    `<path d="M${px(-0.15)} ${py(0)}H${px(2.3)}M${px(0)} ${py(-0.15)}V${py(1.9)}" stroke="#999" fill="none"/>`,
    `<text x="${px(2.3)}" y="${py(0) + 18}" fill="#555">${axes[0]}</text><text x="${px(0) - 24}" y="${py(1.9) + 4}" fill="#555">${axes[1]}</text>`,
  ];
  if (line)
    parts.push(
      `<path d="M${px(line[0][0])} ${py(line[0][1])}L${px(line[1][0])} ${py(line[1][1])}" stroke="#009e73" stroke-width="2" stroke-dasharray="6 4"/>`,
    );
  // Two inputs may fall on one point: then the label says so.
  const labels = new Map<string, { at: readonly number[]; target: number; from: number[] }>();
  points.forEach((at, i) => {
    const kept = labels.get(String(at)) ?? { at, target: targets[i]!, from: [] };
    kept.from.push(i);
    labels.set(String(at), kept);
  });
  for (const { at, target, from } of labels.values()) {
    const [cx, cy] = [px(at[0]!), py(at[1]!)];
    parts.push(
      `<circle cx="${cx}" cy="${cy}" r="11" fill="${target > 0.5 ? "#d55e00" : "#0072b2"}"/><text x="${cx}" y="${cy + 5}" text-anchor="middle" fill="#fff" font-weight="600">${target}</text>`,
      `<text x="${cx + 15}" y="${cy - 10}" fill="#333">${from.map((i) => ["00", "01", "10", "11"][i]).join(", ")}</text>`,
    );
  }
  return parts.join("\n");
}

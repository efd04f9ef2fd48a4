/** What a training loop weighs in a page. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";

export interface PageSize {
  /** Bytes of what a page loads at once, minified; and zipped at the highest level. */
  readonly bytes: number;
  readonly zipped: number;
  readonly text: string;
  readonly warnings: readonly string[];
  /** Bytes by folder of the sources, largest first; those of a merged build are one folder, parts. */
  readonly folders: readonly (readonly [folder: string, bytes: number])[];
}

/** A page that compiles, has layers, an optimiser and `fit`, as a bundler makes it of the package in a folder. */
export async function pageSize(folder: string): Promise<PageSize> {
  const from = (name: string): string => JSON.stringify(join(folder, `dist/src/${name}index.js`));
  const contents = `import { compile } from ${from("")};
    import { crossEntropy, init, Linear, relu, Sequential } from ${from("nn/")};
    import { sgd } from ${from("optim/")};
    import { fit } from ${from("train/")};
    console.log(compile, crossEntropy, init, Linear, relu, Sequential, sgd, fit);`;
  const { outputFiles, metafile, warnings } = await build({
    stdin: { contents, resolveDir: folder },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    outdir: "page",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const names = loadedWith(metafile.outputs, Object.keys(metafile.outputs).find((path) => path.endsWith("stdin.js"))!);
  const loaded = names.map((name) => outputFiles.find(({ path }) => path.endsWith(`/${name}`))!);
  const inputs = names.flatMap((name) => Object.entries(metafile.outputs[name]!.inputs));
  const folders = new Map<string, number>();
  for (const [path, { bytesInOutput }] of inputs) {
    const place = /dist\/src\/((?:(?:kernel|lower)\/)?\w+)\//.exec(path)?.[1] ?? "page";
    folders.set(place, (folders.get(place) ?? 0) + bytesInOutput);
  }
  return {
    bytes: loaded.reduce((sum, { contents }) => sum + contents.length, 0),
    zipped: loaded.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0),
    text: loaded.map(({ text }) => text).join("\n"),
    warnings: warnings.map(({ text }) => text),
    folders: [...folders].sort((a, b) => b[1] - a[1]),
  };
}

/** A file of a bundle, and all that it imports outright: what a page waits for. */
function loadedWith(outputs: Metafile["outputs"], name: string, found: string[] = []): string[] {
  if (found.includes(name)) return found;
  found.push(name);
  for (const { path, kind } of outputs[name]!.imports) if (kind === "import-statement" && outputs[path]) loadedWith(outputs, path, found);
  return found;
}

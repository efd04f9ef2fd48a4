/** A server of static files for one test run, with or without the headers that give pages shared memory. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Record<string, string> = { ".js": "text/javascript", ".html": "text/html", ".json": "application/json" };

export interface ServerOptions {
  /** Folders by the path they are served under, the longest first. */
  readonly folders: readonly (readonly [path: string, folder: string])[];
  /** Where modules are that are imported by a bare name: browsers have no node_modules. */
  readonly packages: Readonly<Record<string, string>>;
  /** Cross-origin isolation: COOP and COEP. */
  readonly isolated: boolean;
  /** A Content-Security-Policy. */
  readonly policy?: string | undefined;
}

export interface Serving {
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(options: ServerOptions): Promise<Serving> {
  const server = createServer(async (request, response) => {
    const headers: Record<string, string> = options.isolated
      ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
      : {};
    if (options.policy) headers["Content-Security-Policy"] = options.policy;
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    const content = path === "/" ? '<!doctype html><title>gradus</title><link rel="icon" href="data:,">' : await fileUnder(path, options);
    if (content === undefined) return void response.writeHead(404, headers).end();
    response.writeHead(200, { ...headers, "Content-Type": TYPES[extname(path)] ?? "text/html" }).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => closed(server) };
}

async function fileUnder(path: string, { folders, packages }: ServerOptions): Promise<string | undefined> {
  const found = folders.find(([under]) => path.startsWith(under));
  if (!found) return undefined;
  try {
    const text = await readFile(join(found[1], path.slice(found[0].length)), "utf8");
    return path.endsWith(".js")
      ? text.replace(/(\bfrom\s*|\bimport\s*)"([\w@][\w@/-]*)"/g, (all, before: string, name: string) =>
          packages[name] ? `${before}"${packages[name]}"` : all,
        )
      : text;
  } catch {
    return undefined;
  }
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

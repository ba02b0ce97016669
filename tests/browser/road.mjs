// A way to a server that can be cut: a TCP proxy.
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** `{ url, cut(), open(), close() }` of a way to the server at `url`: `http://127.0.0.1:PORT`. */
export async function roadTo(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  let isCut = false;
  const server = createServer((client) => {
    if (isCut) return client.destroy();
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [[client, far], [far, client]]) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => sockets.delete(socket) && other.destroy());
      socket.pipe(other);
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const drop = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut: () => ((isCut = true), drop()),
    open: () => (isCut = false),
    close: () => (drop(), server.close()),
  };
}

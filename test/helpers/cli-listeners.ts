/** Servers that are no S3 endpoint, or stand in the way of one. */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificate } from './certificate.js';

export interface Listener {
  readonly host: string;
  close(): Promise<void>;
}

async function listening(server: Server): Promise<Listener> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const open = new Set<{ destroy(): void }>();
  for (const event of ['connection', 'secureConnection'])
    server.on(event, (socket: { destroy(): void }) => open.add(socket));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

export const httpServer = (answer: RequestListener) => listening(createHttpServer(answer));

/** Takes connections and says nothing. */
export const silentServer = () => listening(createServer((socket) => socket.on('error', () => undefined)));

/** Passes bytes on at once, and answers late. */
export function lateAnswers(endpoint: string, milliseconds: number): Promise<Listener> {
  const { hostname, port } = new URL(endpoint);
  return listening(
    createServer((socket) => {
      const onward = connect(Number(port), hostname);
      for (const end of [socket, onward]) end.on('error', () => [socket, onward].forEach((s) => s.destroy()));
      socket.on('close', () => onward.destroy()).pipe(onward);
      onward.on('data', (piece) => setTimeout(() => socket.write(piece), milliseconds));
    }),
  );
}

/** Ends TLS and passes the bytes on. */
export function tlsInFrontOf(endpoint: string, { certificate, key }: Certificate): Promise<Listener> {
  const { hostname, port } = new URL(endpoint);
  const identity = { cert: readFileSync(certificate), key: readFileSync(key) };
  return listening(
    createTlsServer(identity, (socket) => {
      const onward = connect(Number(port), hostname);
      for (const end of [socket, onward]) end.on('error', () => [socket, onward].forEach((s) => s.destroy()));
      socket.pipe(onward).pipe(socket);
    }),
  );
}

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { Server, status } from '@grpc/grpc-js';
import { afterAll, expect, test } from 'vitest';
import { createAuthority, issue } from './authority.ts';
import { Connection } from './connection.ts';
import { clientCredentials, masterIdentity, serverCredentials } from './tls.ts';

const ends: (() => void)[] = [];
afterAll(() => {
  for (const end of ends) end();
});

test('an attempt that gets no answer is given up, and another is made', async () => {
  const [identity, seed, from] = [masterIdentity(0), 'ab'.repeat(32), new Date(Date.UTC(2026, 0, 1))];
  const authority = await createAuthority(seed, identity, from, 10);
  const tls = await issue(authority, seed, identity, from, 10);
  const known = new Map([[identity, authority.certificatePem]]);
  const server = new Server();
  ends.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials(tls, known), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const sockets: Socket[] = [];
  const door = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}); // the client gives it up
    if (sockets.length > 1) socket.pipe(connect(port, '127.0.0.1')).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  const address = `127.0.0.1:${(door.address() as AddressInfo).port}`;
  const connection = new Connection(address, clientCredentials(tls, known, identity), {}, 200);
  ends.push(() => {
    connection.close();
    for (const socket of sockets) socket.destroy();
    door.close();
  });
  const bytes = (b: Buffer): Buffer => b;
  const ask = (): Promise<status | undefined> =>
    new Promise((resolve) => {
      connection.client().makeUnaryRequest('/none/none', bytes, bytes, Buffer.alloc(0), (error) => resolve(error?.code));
    });
  expect(await ask()).toBe(status.UNAVAILABLE);
  while ((await ask()) === status.UNAVAILABLE);
  expect(await ask()).toBe(status.UNIMPLEMENTED);
  expect(sockets.length).toBeGreaterThan(1);
});

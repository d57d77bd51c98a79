// SPDX-License-Identifier: BSD-2-Clause
// A FastCGI upstream over Debian's node-fastcgi, which keeps connections and closes idle ones; it answers everything.
// Prints JSON lines as upstream.js does. Ends when its stdin closes.
'use strict';
const { parseArgs } = require('util');
const fastcgi = require('node-fastcgi');
// it asks for a flag that the package beside it calls KEEPCONN, and so would never keep a connection
require('fastcgi-stream').records.BeginRequest.flags.KEEP_CONN = 1;

const { values: opt } = parseArgs({
	options: {
		host: { type: 'string', default: '127.0.0.1' },
		idle: { type: 'string', default: '60000' }, // ms until a silent connection is closed
	},
});

const say = (event, more) => process.stdout.write(JSON.stringify({ event, ...more }) + '\n');

const server = fastcgi.createServer((req, res) => {
	req.on('end', () => {
		say('request', { method: req.method, path: req.url.split('?')[0], peer_port: req.socket._conn.remotePort });
		res.writeHead(200, { 'Content-Type': 'text/plain' });
		res.end('ok\n'); // of no told length: nginx keeps a connection only where it has read the end of the request, too
	}).resume();
});
server.setTimeout(Number(opt.idle));
server.on('connection', (s) => {
	const { remotePort } = s;
	s.on('close', () => say('closed', { peer_port: remotePort }));
});
server.listen({ port: 0, host: opt.host }, () => say('ready', { port: server.address().port, pid: process.pid }));
process.stdin.on('end', () => process.exit(0)).resume();

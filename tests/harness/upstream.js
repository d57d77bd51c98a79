// SPDX-License-Identifier: BSD-2-Clause
// A Node upstream; the first segment of a request's path names what it does with it, e.g. /destroy/anything.
// Prints JSON lines: {"event":"ready","port":..,"pid":..}, then one per request. Ends when its stdin closes.
'use strict';
const http = require('http');
const https = require('https');
const fs = require('fs');
const { parseArgs } = require('util');

const { values: opt } = parseArgs({
	options: {
		host: { type: 'string', default: '127.0.0.1' },
		port: { type: 'string', default: '0' },
		keepalive: { type: 'string', default: '60000' }, // ms; Node 20.19 and later add 1000
		accept: { type: 'string', default: '' }, // close or reset: what to do right after accept
		tls: { type: 'string' }, // folder of cert.pem and key.pem: speak TLS
		request: { type: 'string' }, // ms for a whole request to arrive; by default as Node has it
		quiet: { type: 'boolean', default: false }, // no line per request
	},
});

const say = (event, more) => fs.writeSync(1, JSON.stringify({ event, ...more }) + '\n');

const etag = '"v1"';
const headers = (more) => ({ 'Content-Type': 'text/plain', 'Set-Cookie': 'sid=s3cr3t-hunter2', ...more });

function send(res, status, body, more) {
	res.writeHead(status, headers({ 'Content-Length': Buffer.byteLength(body), ...more }));
	res.end(body);
}

// Write text as it is and do `then` once the kernel has all of it.
function raw(req, text, then) {
	req.socket.write(text, () => then(req.socket));
}

const destroy = (socket) => socket.destroy();

const does = {
	// healthy
	// Node before 20.20 forgets its idle timeout where a request is answered before its body has been read
	ok: (req, res) => req.on('end', () => send(res, 200, 'ok\n')),
	chunked(req, res) {
		res.writeHead(200, headers());
		res.write('first\n');
		setImmediate(() => res.end('last\n'));
	},
	empty(req, res) {
		res.writeHead(204, headers());
		res.end();
	},
	cached(req, res) {
		const hit = req.headers['if-none-match'] === etag;
		if (!hit) return send(res, 200, 'fresh\n', { ETag: etag });
		res.writeHead(304, headers({ ETag: etag }));
		res.end();
	},
	until_close(req, res) { // no length: the end of the connection ends the body
		raw(req, 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nbody\n', (s) => s.end());
	},
	long(req, res, q) { // a header larger than what upclose keeps of it
		send(res, 200, 'long\n', { 'X-Long': 'l'.repeat(Number(q.get('bytes') || 6000)) });
	},
	long_cut: (req) => raw(req, `HTTP/1.1 200 OK\r\nX-Long: ${'l'.repeat(6000)}\r\nContent-Length: 1000\r\n\r\ncut`, destroy),
	trickle(req, res) { // every byte in a packet of its own
		const bytes = [...'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'];
		req.socket.setNoDelay(true);
		const next = () => (bytes.length ? raw(req, bytes.shift(), () => setImmediate(next)) : req.socket.end());
		next();
	},
	slow: (req, res, q) => setTimeout(() => send(res, 200, 'late\n'), Number(q.get('ms') || 300)),
	upload(req, res) {
		let bytes = 0;
		req.on('data', (d) => { bytes += d.length; });
		req.on('end', () => send(res, 200, String(bytes)));
	},
	download(req, res, q) {
		const body = Buffer.alloc(Number(q.get('bytes') || 3 << 20), 'd');
		if (!q.get('chunked')) return send(res, 200, body);
		res.writeHead(200, headers());
		res.end(body);
	},

	// the process lives, the connection does not
	destroy: (req) => destroy(req.socket),
	reset: (req) => req.socket.resetAndDestroy(),
	leave(req, res, q) { // closes, and exits or dies a moment later
		destroy(req.socket);
		setTimeout(() => (q.get('signal') ? process.kill(process.pid, q.get('signal')) : process.exit(4)), Number(q.get('ms') || 3));
	},
	header_cut: (req) => raw(req, 'HTTP/1.1 200 OK\r\nContent-Le', destroy),
	body_cut: (req) => raw(req, 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n' + 'b'.repeat(100), destroy),
	chunk_cut: (req) => raw(req, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n' + 'c'.repeat(50), destroy),
	last_chunk_cut: (req) => raw(req, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n', destroy),

	// no answer, or not all of it
	never() {},
	stall: (req) => raw(req, 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n' + 's'.repeat(100), () => {}),
	stall_header: (req) => raw(req, 'HTTP/1.1 200 OK\r\nContent-Le', () => {}),

	// the process dies
	throw() { throw new Error('uncaught, as the test wants it'); },
	exit: (req, res, q) => process.exit(Number(q.get('code') || 3)),
	kill: () => process.kill(process.pid, 'SIGKILL'),
	term: () => process.kill(process.pid, 'SIGTERM'),
	abort: () => process.abort(),
	oom() {
		const hold = [];
		for (;;) hold.push(Buffer.alloc(8 << 20, 1));
	},
};

const limits = opt.request ? { headersTimeout: Number(opt.request), requestTimeout: Number(opt.request), connectionsCheckingInterval: 50 } : {};
const keys = opt.tls && { cert: fs.readFileSync(`${opt.tls}/cert.pem`), key: fs.readFileSync(`${opt.tls}/key.pem`) };
const server = (keys ? https : http).createServer({ ...limits, ...keys }, (req, res) => {
	const url = new URL(req.url, 'http://upstream');
	if (!opt.quiet) {
		say('request', {
			method: req.method, path: url.pathname, peer_port: req.socket.remotePort, bytes_read: req.socket.bytesRead,
		});
	}
	req.socket.on('error', () => {});
	const name = url.pathname.split('/')[1];
	if (!(name in does)) return send(res, 404, 'no such behaviour\n');
	if (name !== 'upload') req.resume();
	does[name](req, res, url.searchParams);
});
server.on('upgrade', (req, socket) => {
	socket.on('data', () => socket.end('bye'));
	socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
});
server.keepAliveTimeout = Number(opt.keepalive);
if (!opt.quiet) server.on('connection', (s) => s.on('close', () => say('closed', { peer_port: s.remotePort })));
if (opt.accept) server.on('connection', (s) => (opt.accept === 'reset' ? s.resetAndDestroy() : s.destroy()));

server.listen({ port: Number(opt.port), host: opt.host }, () => say('ready', { port: server.address().port, pid: process.pid }));

let line = '';
process.stdin.on('data', (d) => {
	line += d;
	for (let end; (end = line.indexOf('\n')) >= 0; line = line.slice(end + 1)) {
		if (line.slice(0, end) === 'close_idle') {
			server.closeIdleConnections();
			say('closed_idle');
		} else if (line.slice(0, end) === 'deploy') {
			server.close(() => process.exit(0));
			say('closing');
		}
	}
});
process.stdin.on('end', () => process.exit(0));

// The wire: servers and clients that speak what the lab's transport says (MW_MODE): http1 in clear behind an
// offloader that keeps the client's address, tls12 with HTTP/1.1, tls13h2 with HTTP/2. TLS secrets go to a key log.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { Agent as Undici, request as undiciRequest } from 'undici';
import { LAB, MODE, W, byHost, addr6 } from './world.mjs';

const secrets = (line) => fs.appendFileSync(`${LAB}/log/keylog`, line);
const limits = () => (MODE === 'tls12' ? { maxVersion: 'TLSv1.2', ciphers: W.cipher12 } : { minVersion: 'TLSv1.3' });
const pem = (n) => fs.readFileSync(`${LAB}/keys/${n}.pem`);

export function serve(name, handler, { certs = false, clear = false } = {}) {
	const at = W[name];
	let server;
	if (MODE === 'http1') {
		server = http.createServer({ keepAliveTimeout: 20000 }, handler);
	} else {
		const opt = { key: pem('tls'), cert: pem('cert'), ...limits(), requestCert: certs, rejectUnauthorized: false };
		server =
			MODE === 'tls12'
				? https.createServer({ ...opt, keepAliveTimeout: 20000 }, handler)
				: http2.createSecureServer({ ...opt, allowHTTP1: true }, handler);
		server.on('keylog', secrets);
		server.on('sessionError', () => {});
	}
	if (clear && MODE !== 'http1') http.createServer({ keepAliveTimeout: 20000 }, handler).listen(at.port, '::');
	server.on('clientError', (e, s) => s.destroy());
	server.listen(MODE === 'http1' ? at.port : at.tls, '::', () => fs.writeFileSync(`${LAB}/pid/${name}.ready`, ''));
	return server;
}

export const readBody = async (stream) => {
	const parts = [];
	for await (const c of stream) parts.push(c);
	return Buffer.concat(parts);
};
// Who asks: the offloader keeps addresses; our own gate names the client in X-Forwarded-For.
export const clientOf = (req) => {
	const peer = (req.socket.remoteAddress || '').replace(/^::ffff:/, '');
	const xff = req.headers['x-forwarded-for'];
	return { peer, from: peer === W.gate.addr && xff ? xff.split(',').pop().trim() : peer };
};

// What a program looks like: headers in its own order.
const chrome = (v, os) => [
	'Mozilla/5.0 (' + os + ') AppleWebKit/537.36 (KHTML, like Gecko) Chrome/' + v + '.0.0.0 Safari/537.36',
];
export const STACKS = {
	chrome: {
		ua: chrome(131, 'Windows NT 10.0; Win64; x64')[0],
		accept: 'text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8',
		enc: 'gzip, deflate, br',
		lang: 'en-GB,en;q=0.9',
		ch: '"Chromium";v="131", "Not_A Brand";v="24"',
	},
	edge: {
		ua: chrome(130, 'Windows NT 10.0; Win64; x64')[0] + ' Edg/130.0.0.0',
		accept: '*/*',
		enc: 'gzip, deflate, br',
		lang: 'en-US',
	},
	firefox: {
		ua: 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0',
		accept: 'text/html,application/json,*/*;q=0.8',
		enc: 'gzip, deflate',
		lang: 'en-US,en;q=0.5',
	},
	phone: {
		ua: 'QuarryMail/5.12.1 (iPhone; iOS 18.1; Scale/3.00)',
		accept: 'application/json',
		enc: 'gzip, deflate, br',
		lang: 'en-GB;q=1',
	},
	okhttp: { ua: 'okhttp/4.12.0', accept: null, enc: 'gzip', lang: null },
	desktop: {
		ua: 'DeskMail/16.4 (Windows NT 10.0.22631; MSAL 4.61.3)',
		accept: 'application/json',
		enc: 'gzip, deflate',
		lang: null,
	},
	python: { ua: 'python-requests/2.31.0', accept: '*/*', enc: 'gzip, deflate', lang: null },
	java: { ua: 'Java/17.0.11', accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', enc: null, lang: null },
	curl: { ua: 'curl/7.88.1', accept: '*/*', enc: null, lang: null },
	go: { ua: 'Go-http-client/1.1', accept: null, enc: 'gzip', lang: null },
	node: { ua: 'node', accept: '*/*', enc: 'br, gzip, deflate', lang: '*', undici: true },
};

const unpack = (body, enc) =>
	enc === 'gzip'
		? zlib.gunzipSync(body)
		: enc === 'br'
			? zlib.brotliDecompressSync(body)
			: enc === 'deflate'
				? zlib.inflateSync(body)
				: body;
const v6 = (a) => a.includes(':');

// Nobody keeps a connection through an hour of silence
const devices = new Set();
export const hangUp = () => {
	for (const d of devices) d.close();
};

// A device: one address (until it moves), one program, its own connections.
export class Device {
	constructor(from, stack, opt = {}) {
		this.from = from;
		this.stack = stack;
		this.cookies = new Map();
		this.pool = new Map();
		this.tickets = new Map();
		this.opt = opt;
		this.cert = opt.cert;
		this.last = Date.now();
		devices.add(this);
	}

	close() {
		// connections end; TLS sessions are kept and resumed
		for (const [k, c] of this.pool) {
			if (c instanceof http.Agent) {
				c.destroy();
				continue;
			}
			c.close();
			this.pool.delete(k);
		}
	}

	move(to) {
		this.close();
		this.from = to;
	}

	headers(url, extra, plain) {
		const s = STACKS[this.stack],
			h = [['Host', url.host]];
		h.push(['User-Agent', this.opt.ua || s.ua]);
		const accept = extra.Accept || s.accept;
		if (accept) h.push(['Accept', accept]);
		if (s.enc) h.push(['Accept-Encoding', s.enc]);
		if (s.lang) h.push(['Accept-Language', s.lang]);
		if (s.ch) h.push(['sec-ch-ua', s.ch], ['sec-ch-ua-mobile', '?0']);
		for (const [k, v] of Object.entries(extra)) if (v !== undefined && k !== 'Accept') h.push([k, v]);
		const jar = [...(this.cookies.get(url.host) || new Map())].map(([k, v]) => `${k}=${v}`);
		if (jar.length) h.push(['Cookie', jar.join('; ')]);
		if (plain) {
			// what the offloader adds
			h.push(['X-Forwarded-Proto', 'https']);
			if (this.cert) h.push(['X-Client-Cert', encodeURIComponent(pem(this.cert + '-cert'))]);
		}
		return h;
	}

	keep(url, list) {
		for (const line of [list || []].flat()) {
			const [k, v] = line.split(';')[0].split(/=(.*)/s);
			if (!this.cookies.has(url.host)) this.cookies.set(url.host, new Map());
			const jar = this.cookies.get(url.host);
			if (!v || /expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(k);
			else jar.set(k, v);
		}
	}

	// request: {method, headers, body (string or object: form), json}; url absolute
	async fetch(where, o = {}) {
		const url = new URL(where);
		if (Date.now() - this.last > 60e3) this.close();
		this.last = Date.now();
		const at = url.hostname === W.portal.host ? W.gate : byHost.get(url.hostname);
		if (!at) throw new Error('no such host ' + where);
		const extra = { ...o.headers };
		let body = o.body;
		if (o.json) {
			body = JSON.stringify(o.json);
			extra['Content-Type'] = 'application/json';
		} else if (body && typeof body === 'object' && !Buffer.isBuffer(body)) {
			body = new URLSearchParams(body).toString();
			extra['Content-Type'] = 'application/x-www-form-urlencoded';
		}
		const method = o.method || (body === undefined ? 'GET' : 'POST');
		if (body !== undefined) extra['Content-Length'] = String(Buffer.byteLength(body));
		const plain = MODE === 'http1';
		const list = this.headers(url, extra, plain && !o.bare);
		const dest = { host: v6(this.from) ? addr6(at) : at.addr, port: plain ? at.port : at.tls };
		const path = url.pathname + url.search;
		const r = await this.send(url, dest, plain, method, path, list, body);
		this.last = Date.now();
		this.keep(url, r.headers['set-cookie']);
		r.text = unpack(r.body, r.headers['content-encoding']).toString();
		r.url = url;
		try {
			r.json = JSON.parse(r.text);
		} catch {
			r.json = undefined;
		}
		return r;
	}

	send(url, dest, plain, method, path, list, body) {
		if (!plain && MODE === 'tls13h2') return this.h2(url, dest, method, path, list, body);
		if (plain && STACKS[this.stack].undici) return this.undici(url, dest, method, path, list, body);
		const key = 'h1 ' + url.host,
			mod = plain ? http : https;
		if (!this.pool.has(key))
			this.pool.set(key, new mod.Agent({ keepAlive: !this.opt.once, maxSockets: this.opt.sockets || 2 }));
		const opt = {
			...dest,
			method,
			path,
			agent: this.pool.get(key),
			localAddress: this.from,
			headers: Object.fromEntries(list),
		};
		if (!plain) Object.assign(opt, { servername: url.hostname, rejectUnauthorized: false, ...limits() }, this.client());
		return new Promise((yes, no) => {
			const req = mod.request(opt, (res) =>
				readBody(res).then((b) => yes({ status: res.statusCode, headers: res.headers, body: b }), no),
			);
			req.on('socket', (s) => {
				if (!plain && !s.logged) {
					s.logged = true;
					s.on('keylog', secrets);
				}
			});
			req.on('error', no);
			req.setTimeout(15000, () => req.destroy(new Error('no answer from ' + url.host)));
			req.end(body);
		});
	}

	// A WebSocket is HTTP/1.1 in every transport: browsers open a connection of its own
	socket(where, token) {
		const url = new URL(where),
			at = byHost.get(url.hostname),
			plain = MODE === 'http1';
		const list = this.headers(
			url,
			{
				Upgrade: 'websocket',
				Connection: 'Upgrade',
				'Sec-WebSocket-Version': '13',
				'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64'),
				'Sec-WebSocket-Protocol': 'bearer, ' + token,
			},
			plain,
		);
		const opt = {
			host: v6(this.from) ? addr6(at) : at.addr,
			port: plain ? at.port : at.tls,
			path: url.pathname,
			localAddress: this.from,
			agent: false,
			headers: Object.fromEntries(list),
		};
		if (!plain) Object.assign(opt, { servername: url.hostname, rejectUnauthorized: false, ...limits() });
		return new Promise((yes, no) => {
			const req = (plain ? http : https).request(opt, (res) => {
				res.resume();
				yes(res.statusCode);
			});
			req.on('socket', (s) => s.on('keylog', secrets));
			req.on('upgrade', (res, s) => {
				s.resume();
				s.on('close', () => yes(res.statusCode));
				s.end(Buffer.from([0x88, 0x80, 1, 2, 3, 4]));
			});
			req.on('error', no);
			req.end();
		});
	}

	client() {
		return this.cert ? { key: pem(this.cert + '-key'), cert: pem(this.cert + '-cert') } : {};
	}

	async undici(url, dest, method, path, list, body) {
		const key = 'un ' + url.host;
		if (!this.pool.has(key)) this.pool.set(key, new Undici({ localAddress: this.from, connections: 2 }));
		const host = v6(dest.host) ? `[${dest.host}]` : dest.host;
		const r = await undiciRequest(`http://${host}:${dest.port}${path}`, {
			method,
			body,
			dispatcher: this.pool.get(key),
			headers: list
				.filter(([k]) => k !== 'Content-Length')
				.map(([k, v]) => [k.toLowerCase(), v])
				.flat(),
		});
		return { status: r.statusCode, headers: r.headers, body: Buffer.from(await r.body.arrayBuffer()) };
	}

	async h2(url, dest, method, path, list, body) {
		const key = 'h2 ' + url.host;
		let s = this.pool.get(key);
		if (!s || s.closed || s.destroyed) {
			s = http2.connect(`https://${url.host}`, {
				createConnection: () => {
					const c = tls.connect({
						...dest,
						localAddress: this.from,
						servername: url.hostname,
						ALPNProtocols: ['h2'],
						rejectUnauthorized: false,
						...limits(),
						...this.client(),
						session: this.tickets.get(url.host),
					});
					c.on('keylog', secrets);
					c.on('session', (t) => this.tickets.set(url.host, t));
					return c;
				},
			});
			s.on('error', () => {});
			this.pool.set(key, s);
		}
		const h = { ':method': method, ':path': path, ':scheme': 'https', ':authority': url.host };
		for (const [k, v] of list) if (k !== 'Host') h[k.toLowerCase()] = v;
		return new Promise((yes, no) => {
			const st = s.request(h);
			let head;
			st.on('response', (x) => {
				head = x;
			});
			st.on('error', no);
			st.setTimeout(15000, () => {
				st.close();
				no(new Error('no answer from ' + url.host));
			});
			readBody(st).then((b) => {
				if (!head) return no(new Error('no head'));
				yes({ status: head[':status'], headers: head, body: b });
			}, no);
			st.end(body);
		}).finally(() => {
			if (this.opt.once) this.close();
		});
	}
}

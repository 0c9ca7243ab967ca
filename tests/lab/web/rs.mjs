// The resource servers, by argument: mail trusts one merged set of both issuers' keys (the flaw), files is strict,
// times is careless (reads the claims, checks nothing), albums asks the issuer about opaque tokens, ledger is a web
// application with its own back channel.
import crypto from 'node:crypto';
import http from 'node:http';
import * as jose from 'jose';
import { APP, AUD, ISS, LAB, W, secret } from './world.mjs';
import { Device, clientOf, readBody, serve } from './net.mjs';
import { book, print } from './book.mjs';

const me = process.argv[2],
	at = W[me];
const dev = new Device(at.addr, me === 'files' ? 'java' : me === 'ledger' ? 'go' : 'node', { sockets: 4 });
const sets = {};

async function keysOf(side, fresh) {
	const now = Date.now(),
		s = sets[side];
	if (s && !fresh && now - s.at < 900e3) return s.keys;
	if (s && fresh && now - s.at < 20e3) return s.keys;
	const conf = (await dev.fetch(ISS[side] + '/.well-known/openid-configuration')).json;
	const { keys } = (await dev.fetch(conf.jwks_uri.replace(/^http:/, 'https:'))).json;
	sets[side] = { at: Date.now(), keys, conf };
	return keys;
}

const ALGS = W.algs;
const sideOf = (iss) => Object.keys(ISS).find((s) => ISS[s] === iss);

async function strict(token, req, sides) {
	const { iss } = jose.decodeJwt(token),
		side = sideOf(iss);
	if (!side || !sides.includes(side)) throw new Error('issuer not trusted');
	const { kid } = jose.decodeProtectedHeader(token);
	let keys = await keysOf(side);
	if (!keys.some((x) => x.kid === kid)) keys = await keysOf(side, true);
	const { payload } = await jose.jwtVerify(token, jose.createLocalJWKSet({ keys }), {
		issuer: iss,
		audience: AUD[me],
		algorithms: ALGS,
		clockTolerance: 60,
	});
	await bound(payload, token, req);
	return payload;
}

async function bound(claims, token, req) {
	const { cnf } = claims;
	if (cnf?.jkt) {
		const proof = req.headers.dpop;
		if (!proof || !/^dpop /i.test(req.headers.authorization)) throw new Error('token is bound, no proof');
		const { protectedHeader, payload } = await jose.jwtVerify(proof, jose.EmbeddedJWK, {
			typ: 'dpop+jwt',
			clockTolerance: 60,
		});
		if ((await jose.calculateJwkThumbprint(protectedHeader.jwk)) !== cnf.jkt) throw new Error('proof by another key');
		if (payload.ath !== crypto.createHash('sha256').update(token).digest('base64url')) throw new Error('ath');
		if (payload.htm !== req.method || new URL(payload.htu).pathname !== req.url.split('?')[0]) throw new Error('htu');
	}
	if (cnf?.['x5t#S256']) {
		const h = req.headers['x-client-cert'],
			raw = h ? new crypto.X509Certificate(decodeURIComponent(h)).raw : req.socket.getPeerCertificate?.().raw;
		if (!raw || crypto.createHash('sha256').update(raw).digest('base64url') !== cnf['x5t#S256'])
			throw new Error('not the certificate of the token');
	}
}

async function merged(token) {
	// one set of keys for everybody: whose key it was is never asked; no bindings either
	const { kid } = jose.decodeProtectedHeader(token);
	let keys = [...(await keysOf('enterprise')), ...(await keysOf('consumer'))];
	if (!keys.some((x) => x.kid === kid))
		keys = [...(await keysOf('enterprise', true)), ...(await keysOf('consumer', true))];
	const { payload } = await jose.jwtVerify(token, jose.createLocalJWKSet({ keys }), {
		issuer: Object.values(ISS),
		audience: AUD[me],
		algorithms: ALGS,
		clockTolerance: 60,
	});
	return payload;
}

async function careless(token) {
	await keysOf('enterprise');
	const [, body] = token.split('.');
	const claims = JSON.parse(Buffer.from(body, 'base64url'));
	if (!claims.sub) throw new Error('no subject');
	const head = jose.decodeProtectedHeader(token);
	if (head.jku) await dev.fetch(head.jku).catch(() => {});
	return claims;
}

const known = new Map();
async function asks(token) {
	const had = known.get(print(token));
	if (had && Date.now() - had.at < 60e3) return had.claims;
	const conf = sets.consumer?.conf || (await keysOf('consumer'), sets.consumer.conf);
	const id = APP('albums-api', 'consumer');
	const r = await dev.fetch(conf.introspection_endpoint.replace(/^http:/, 'https:'), {
		headers: { Authorization: 'Basic ' + Buffer.from(`${id.id}:${secret('app ' + id.name)}`).toString('base64') },
		body: { token, token_type_hint: 'access_token' },
	});
	if (!r.json?.active) throw new Error('not active');
	known.set(print(token), { at: Date.now(), claims: r.json });
	return r.json;
}

const CHECK = {
	files: (t, req) => strict(t, req, ['enterprise']),
	mail: merged,
	times: careless,
	albums: asks,
};

function tokenOf(req, url, form) {
	const m = /^(Bearer|DPoP) (.+)$/i.exec(req.headers.authorization || '');
	if (m) return m[2];
	if (url.searchParams.get('access_token')) return url.searchParams.get('access_token');
	const c = /(?:^|; )access_token=([^;]+)/.exec(req.headers.cookie || '');
	return c ? c[1] : form?.get('access_token');
}

const send = (res, status, obj, more = {}) => {
	const t = Buffer.from(typeof obj === 'string' ? obj : JSON.stringify(obj));
	res.writeHead(status, {
		'Content-Type': typeof obj === 'string' ? 'text/html; charset=utf-8' : 'application/json',
		'Content-Length': t.length,
		...more,
	});
	res.end(t);
};
const item = (path, n) => ({
	id: print(path + n).slice(0, 16),
	from: 'desk ' + (n + 3),
	at: new Date().toISOString(),
	subject: 'Item ' + n + ' of ' + path.slice(1, 20),
});

async function api(req, res) {
	const url = new URL(req.url, AUD[me]),
		who = clientOf(req);
	const raw = req.method === 'GET' ? Buffer.alloc(0) : await readBody(req);
	if (url.pathname === '/health') return send(res, 200, { status: 'up' });
	const form = /urlencoded/.test(req.headers['content-type']) ? new URLSearchParams(raw.toString()) : undefined;
	const token = tokenOf(req, url, form);
	if (!token) return send(res, 401, { error: 'unauthorized' }, { 'WWW-Authenticate': `Bearer realm="${me}"` });
	let claims,
		why = '';
	try {
		claims = await CHECK[me](token, req);
	} catch (e) {
		why = e.message.slice(0, 80);
	}
	const proof = req.headers.dpop;
	if (proof) book(me, who, 'presented', 'dpop_proof', proof, { verdict: claims ? 'accepted' : 'refused' });
	book(me, who, 'presented', 'access_token', token, {
		verdict: claims ? 'accepted' : 'refused',
		note: why,
		client: claims?.client_id,
		sub: claims?.sub,
	});
	if (!claims)
		return send(
			res,
			401,
			{ error: 'invalid_token', error_description: why },
			{ 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${why.replaceAll('"', "'")}"` },
		);
	const n = 1 + (url.pathname.length % 4);
	if (req.method === 'POST') return send(res, 202, { accepted: true, id: crypto.randomUUID() });
	send(res, 200, { value: Array.from({ length: n }, (_, i) => item(url.pathname, i)), user: claims.upn || claims.sub });
}

// The web application: browsers log in through it, tokens never leave it.
const flows = new Map(),
	sessions = new Map();
async function ledger(req, res) {
	const url = new URL(req.url, `https://${at.host}`),
		a = APP('ledger-web'),
		who = clientOf(req);
	const conf = sets.enterprise?.conf || (await keysOf('enterprise'), sets.enterprise.conf);
	const https = (u) => u.replace(/^http:/, 'https:');
	const basic = { Authorization: 'Basic ' + Buffer.from(`${a.id}:${secret('app ' + a.name)}`).toString('base64') };
	if (url.pathname === '/login') {
		const state = crypto.randomBytes(16).toString('base64url'),
			verifier = crypto.randomBytes(32).toString('base64url');
		flows.set(state, { verifier });
		const post = url.searchParams.has('post');
		const q = new URLSearchParams({
			client_id: a.id,
			response_type: post ? 'code id_token' : 'code',
			scope: 'openid profile Mail.Read Mail.Send',
			redirect_uri: `https://${at.host}/cb`,
			state,
			resource: AUD.mail,
			nonce: crypto.randomBytes(12).toString('base64url'),
			code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url'),
			code_challenge_method: 'S256',
			...(post ? { response_mode: 'form_post' } : {}),
		});
		return send(res, 302, '', { Location: `${https(conf.authorization_endpoint)}?${q}` });
	}
	if (url.pathname === '/cb') {
		const p = req.method === 'POST' ? new URLSearchParams((await readBody(req)).toString()) : url.searchParams;
		const f = flows.get(p.get('state'));
		book(me, who, 'presented', 'code', p.get('code'), {
			verdict: f ? 'accepted' : 'refused',
			client: a.id,
			issuer: ISS.enterprise,
			note: 'front channel',
		});
		if (p.get('id_token'))
			book(me, who, 'presented', 'id_token', p.get('id_token'), { verdict: f ? 'accepted' : 'refused' });
		if (!f) return send(res, 400, 'no such login');
		const r = await dev.fetch(https(conf.token_endpoint), {
			headers: basic,
			body: {
				grant_type: 'authorization_code',
				code: p.get('code'),
				redirect_uri: `https://${at.host}/cb`,
				code_verifier: f.verifier,
			},
		});
		if (r.status !== 200) return send(res, 502, 'login failed');
		const sid = crypto.randomBytes(18).toString('base64url');
		sessions.set(sid, { ...r.json, until: Date.now() + r.json.expires_in * 1000 });
		return send(res, 302, '', {
			Location: `https://${at.host}/`,
			'Set-Cookie': `sid=${sid}; Path=/; HttpOnly; Secure`,
		});
	}
	const sid = /sid=([^;]+)/.exec(req.headers.cookie || '')?.[1],
		s = sessions.get(sid);
	if (url.pathname === '/bye') {
		sessions.delete(sid);
		return send(res, 200, 'bye');
	}
	if (!s) return send(res, 302, '', { Location: `https://${at.host}/login` });
	if (url.pathname === '/logout') {
		await dev.fetch(https(conf.revocation_endpoint), {
			headers: basic,
			body: { token: s.refresh_token, token_type_hint: 'refresh_token' },
		});
		sessions.delete(sid);
		return send(res, 302, '', {
			Location: `${https(conf.end_session_endpoint)}?${new URLSearchParams({ id_token_hint: s.id_token, post_logout_redirect_uri: `https://${at.host}/bye` })}`,
		});
	}
	if (Date.now() > s.until - 60e3) {
		const r = await dev.fetch(https(conf.token_endpoint), {
			headers: basic,
			body: { grant_type: 'refresh_token', refresh_token: s.refresh_token },
		});
		if (r.status === 200) Object.assign(s, r.json, { until: Date.now() + r.json.expires_in * 1000 });
	}
	const r = await dev.fetch(`${AUD.mail}/v1/me/messages?$top=5&page=${url.searchParams.get('p') || 1}`, {
		headers: { Authorization: 'Bearer ' + s.access_token },
	});
	send(res, r.status === 200 ? 200 : 502, `<!DOCTYPE html><title>Ledger</title><pre>${r.text}</pre>`);
}

// Notices over a WebSocket: the token travels as a subprotocol
async function socket(req, s) {
	const who = clientOf(req),
		token = (req.headers['sec-websocket-protocol'] || '').split(/, */)[1] || '';
	let claims,
		why = '';
	try {
		claims = await CHECK[me](token, req);
	} catch (e) {
		why = e.message.slice(0, 80);
	}
	book(me, who, 'presented', 'access_token', token, {
		verdict: claims ? 'accepted' : 'refused',
		note: why || 'websocket',
	});
	if (!claims) return s.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
	const accept = crypto
		.createHash('sha1')
		.update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
		.digest('base64');
	s.write(
		`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: bearer\r\n\r\n`,
	);
	const text = Buffer.from(JSON.stringify({ new: 2, at: new Date().toISOString() }));
	s.end(Buffer.concat([Buffer.from([0x81, text.length]), text, Buffer.from([0x88, 0])]));
}

serve(
	me,
	(req, res) =>
		(me === 'ledger' ? ledger : api)(req, res).catch((e) => {
			console.error(e);
			res.destroy();
		}),
	{ certs: me === 'files', clear: me === 'files' },
).on('upgrade', (req, s) =>
	socket(req, s).catch((e) => {
		console.error(e);
		s.destroy();
	}),
);
http
	.createServer((req, res) => {
		for (const s of Object.keys(sets)) delete sets[s];
		known.clear();
		dev.close();
		res.end('ok');
	})
	.listen(`${LAB}/ctl/${me}.sock`);

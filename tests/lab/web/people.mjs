// What people and programs do: logins through a browser, every grant, calls of the resource servers. And what the
// lab itself notes down about it: which tokens are forged, which uses are abuse, what a detector must find.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import * as jose from 'jose';
import { APP, AUD, ISS, LAB, W, keys, pub, secret, EXCHANGE, PEOPLE } from './world.mjs';
import { Device, hangUp } from './net.mjs';
import { print } from './book.mjs';
import * as soap from './soap.mjs';

const rnd = (n = 16) => crypto.randomBytes(n).toString('base64url');
const sha = (x) => crypto.createHash('sha256').update(x).digest('base64url');
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
export const person = (login) => [...PEOPLE.enterprise, ...PEOPLE.consumer].find((p) => p.login === login);
export { rnd, sha };

// Notes for the truth and for what must be found
const note = (o) => fs.appendFileSync(`${LAB}/log/notes.jsonl`, JSON.stringify({ at: Date.now(), ...o }) + '\n');
export const forged = (token, why) => {
	note({ token: print(token), status: 'forged', note: why });
	return token;
};
export const abused = (token, why, from) => {
	note({ token: print(token), status: 'abused', from, note: why });
	return token;
};
export const expect = (rule, token, what, more = {}) =>
	note({ expect: rule, token: token ? print(token) : '-', what, level: 'medium', ...more });

// The lab's clock: hours are skipped, never slowed; see run.
export function skip(seconds) {
	const f = `${LAB}/clock`,
		now = Number(fs.readFileSync(f, 'utf8')),
		real = Date.now() / 1000 - now;
	fs.writeFileSync(f + '.new', `${now + seconds >= 0 ? '+' : ''}${now + seconds}\n`);
	fs.renameSync(f + '.new', f);
	fs.appendFileSync(`${LAB}/clock.log`, `${real.toFixed(6)} ${now + seconds}\n`);
}
export const pause = async (seconds) => {
	if (seconds >= 60) hangUp();
	await sleep(seconds >= 300 ? 450 : 30);
	skip(seconds);
	await sleep(10);
};
// The enterprise's keys: which it signs with (the first of its kind) and publishes
const turned = () => `${LAB}/keys/turned`;
export const turn_keys = async (names) => {
	await ctl('enterprise', 'keys', names);
	fs.writeFileSync(turned(), names.join(' '));
};
export const current = () =>
	keys('enterprise')[fs.existsSync(turned()) ? fs.readFileSync(turned(), 'utf8').split(' ')[0] : 'first'];

export const ctl = (who, verb, arg = {}) =>
	new Promise((yes, no) => {
		const r = http.request({ socketPath: `${LAB}/ctl/${who}.sock`, path: '/' + verb, method: 'POST' }, (x) => {
			x.resume();
			x.on('end', yes);
		});
		r.on('error', no);
		r.end(JSON.stringify(arg));
	});

const confs = new Map();
export async function discover(dev, side, jwks = true) {
	const r = await dev.fetch(ISS[side] + '/.well-known/openid-configuration');
	const conf = Object.fromEntries(
		Object.entries(r.json).map(([k, v]) => [k, typeof v === 'string' ? v.replace(/^http:/, 'https:') : v]),
	);
	if (jwks) await dev.fetch(conf.jwks_uri);
	confs.set(side, conf);
	return conf;
}
export const conf = async (dev, side) => confs.get(side) || discover(dev, side);

function clientAuth(a, endpoint, how = a.auth) {
	const s = secret('app ' + a.name);
	if (how === 'client_secret_basic')
		return {
			headers: {
				Authorization:
					'Basic ' + Buffer.from(`${encodeURIComponent(a.id)}:${encodeURIComponent(s)}`).toString('base64'),
			},
			form: {},
		};
	if (how === 'client_secret_post') return { form: { client_id: a.id, client_secret: s } };
	return { form: { client_id: a.id } };
}
export async function assertion(a, audience, key = keys('app-' + a.name)) {
	const t = Math.floor(Date.now() / 1000);
	return new jose.SignJWT({ jti: crypto.randomUUID() })
		.setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT' })
		.setIssuer(a.id)
		.setSubject(a.id)
		.setAudience(audience)
		.setIssuedAt(t)
		.setExpirationTime(t + 300)
		.sign(await jose.importJWK(key, key.alg));
}
export async function proof(key, method, url, token) {
	const k = await jose.importJWK(key, key.alg);
	const u = new URL(url);
	return new jose.SignJWT({
		jti: rnd(),
		htm: method,
		htu: u.origin + u.pathname,
		...(token ? { ath: sha(token) } : {}),
	})
		.setProtectedHeader({ typ: 'dpop+jwt', alg: key.alg, jwk: pub({ kty: key.kty, crv: key.crv, x: key.x, y: key.y }) })
		.setIssuedAt()
		.sign(k);
}

// POST to the token endpoint as application a
export async function token(dev, a, form, o = {}) {
	const c = await conf(dev, a.side),
		auth = clientAuth(a, c.token_endpoint, o.how);
	const headers = { ...auth.headers };
	if ((o.how || a.auth) === 'private_key_jwt')
		Object.assign(auth.form, {
			client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
			client_assertion: await assertion(a, ISS[a.side], o.key),
		});
	if (o.dpop) headers.DPoP = await proof(o.dpop, 'POST', c.token_endpoint);
	headers.Accept = 'application/json';
	return dev.fetch(c.token_endpoint, { headers, body: { ...form, ...auth.form } });
}
export const cc = (dev, a, resource = a.resource, o) =>
	token(dev, a, { grant_type: 'client_credentials', scope: '.default', resource: AUD[resource] }, o);
export const ropc = (dev, a, p, password = p.password, resource = a.resource) =>
	token(dev, a, {
		grant_type: 'password',
		username: p.upn || p,
		password,
		scope: 'openid offline_access',
		resource: AUD[resource],
	});
export const exchange = (dev, a, subject, resource) =>
	token(dev, a, {
		grant_type: EXCHANGE,
		subject_token: subject,
		subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
		resource: AUD[resource],
	});
export const refresh = (dev, a, rt, o) => token(dev, a, { grant_type: 'refresh_token', refresh_token: rt }, o);

const post = (dev, url, body) => dev.fetch(url, { body, headers: { Origin: url.origin, Referer: url.href } });
const action = (r) => new URL(/action="([^"]+)"/.exec(r.text)[1].replaceAll('&amp;', '&'), r.url);
const fields = (r) =>
	Object.fromEntries([...r.text.matchAll(/<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)].map((m) => [m[1], m[2]]));

// Follows redirects and forms until the way leads out of the issuer (or to until); returns the last answer
export async function walk(dev, url, p, o = {}) {
	let r = await dev.fetch(url);
	for (let i = 0; i < 14; i++) {
		const loc = r.headers.location && new URL(r.headers.location, r.url);
		if (loc) {
			if (o.stop?.(loc)) return { out: loc, r };
			r = await dev.fetch(loc.href);
		} else if (/type="password"/.test(r.text)) {
			const typed = o.typos?.shift() ?? p.password;
			r = await post(dev, action(r), { username: p.upn, password: typed });
			if (r.status === 200 && o.give_up && !o.typos.length) return { r };
		} else if (/name="consent"/.test(r.text)) {
			r = await post(dev, action(r), { consent: 'yes' });
		} else if (/<form/.test(r.text) && o.form) {
			const to = action(r),
				f = fields(r);
			if (o.stop?.(to)) return { out: to, fields: f, r };
			r = await post(dev, to, { ...f, ...o.form });
			if (o.once) o.form = { ...o.once };
		} else return { r };
	}
	throw new Error('lost on the way to ' + url);
}

// Code flow of a public client on one device: {access_token, refresh_token, id_token}
export async function login(dev, a, p, o = {}) {
	const c = await conf(dev, a.side),
		verifier = rnd(32),
		state = rnd();
	let q = {
		client_id: a.id,
		response_type: o.type || 'code',
		scope: o.scope || 'openid profile offline_access Mail.Read Mail.Send Files.Read Time.Read albums.read',
		redirect_uri: a.redirect[0],
		state,
		nonce: rnd(12),
	};
	if (!o.noResource) q.resource = AUD[o.resource || a.resource];
	if ((o.type || 'code').includes('code'))
		Object.assign(q, { code_challenge: sha(verifier), code_challenge_method: 'S256' });
	if (o.mode) q.response_mode = o.mode;
	if (o.prompt) q.prompt = o.prompt;
	if (o.hint) q.login_hint = p.upn;
	if (o.par) {
		const r = await dev.fetch(c.pushed_authorization_request_endpoint, {
			headers: { Accept: 'application/json' },
			body: q,
		});
		q = { client_id: a.id, request_uri: r.json.request_uri };
	}
	const browser = o.browser || dev;
	const there = a.redirect[0].replace(/\/$/, '');
	const w = await walk(browser, `${c.authorization_endpoint}?${new URLSearchParams(q)}`, p, {
		stop: (u) => u.href.startsWith(there),
		typos: o.typos,
		give_up: o.give_up,
	});
	if (!w.out) {
		if (!o.give_up) throw new Error(`login of ${p.login} at ${a.name}: ${w.r.status} ${w.r.text}`);
		return { r: w.r };
	}
	const back = new URLSearchParams((w.out.hash || w.out.search).slice(1)),
		code = back.get('code');
	const got = { out: w.out, code, verifier, implicit: Object.fromEntries(back) };
	if (!code || o.noRedeem) return got;
	const r = await redeem(o.backend || dev, a, code, verifier, o);
	return { ...got, ...r.json, status: r.status };
}
export const redeem = (dev, a, code, verifier, o = {}) =>
	token(dev, a, { grant_type: 'authorization_code', code, redirect_uri: a.redirect[0], code_verifier: verifier }, o);

// Device flow: the screen polls while the person signs in elsewhere
export async function device(screen, a, browser, p, o = {}) {
	const c = await conf(screen, a.side);
	const d = (
		await screen.fetch(c.device_authorization_endpoint, {
			headers: { Accept: 'application/json' },
			body: {
				client_id: a.id,
				scope: 'openid offline_access Mail.Read Files.Read albums.read',
				resource: AUD[o.resource || a.resource],
			},
		})
	).json;
	const poll = () =>
		token(screen, a, { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: d.device_code });
	for (let i = 0; i < (o.polls ?? 3); i++) {
		await pause(5);
		await poll();
	}
	const w = await walk(browser, d.verification_uri, p, {
		form: { user_code: d.user_code },
		once: { user_code: d.user_code, confirm: 'yes' },
	});
	if (o.blind) return { d, poll, w };
	await pause(5);
	return (await poll()).json;
}

export const wstrust = (dev, upn, password) => {
	const to = `https://${W.enterprise.host}/trust/2005/usernamemixed`;
	return dev.fetch(to, {
		headers: { 'Content-Type': 'application/soap+xml; charset=utf-8' },
		body: Buffer.from(soap.request(to, upn, password)),
	});
};

// A call of a resource server; how: header (as is the rule), query, form, cookie
const PATHS = {
	mail: [
		'/v1/me/messages?$top=10',
		'/v1/me/mailFolders/inbox/messages',
		'/v1/me/messages/AAMk7/attachments',
		'/v1/me/calendar/events',
		'/v1/me/sendMail',
	],
	files: ['/drive/root/children', '/drive/items/7f3a/content', '/drive/recent', '/drive/items/91bc/permissions'],
	times: ['/sheets/current', '/sheets/2026-11', '/projects', '/sheets/current/entries'],
	albums: ['/albums', '/albums/44/photos?page=2', '/albums/12/photos', '/shared'],
};
let turn = 0;
export async function call(dev, rs, tok, o = {}) {
	const path = o.path || PATHS[rs][turn++ % PATHS[rs].length];
	const url = o.gate ? `https://${W.gate.host}/files${path}` : AUD[rs] + path;
	const method = o.method || (/sendMail|entries/.test(path) ? 'POST' : 'GET');
	const h = { Accept: 'application/json', ...o.headers };
	let where = url,
		body = method === 'POST' ? { note: rnd(6) } : undefined;
	if (o.how === 'query') where += (url.includes('?') ? '&' : '?') + 'access_token=' + tok;
	else if (o.how === 'form') body = { access_token: tok, note: 'x' };
	else if (o.how === 'cookie') h.Cookie = 'theme=dark; access_token=' + tok;
	else h.Authorization = `${o.scheme || 'Bearer'} ${tok}`;
	if (o.dpop) h.DPoP = await proof(o.dpop, body ? 'POST' : method, where, tok);
	return dev.fetch(where, {
		method: body ? 'POST' : method,
		headers: h,
		...(o.how === 'form' || !body ? { body } : { json: body }),
	});
}
export async function me(dev, side, tok) {
	const c = await conf(dev, side);
	return dev.fetch(c.userinfo_endpoint, { headers: { Accept: 'application/json', Authorization: 'Bearer ' + tok } });
}
export { APP, AUD, Device };

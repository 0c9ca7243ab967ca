// The servers' own books: every token that a server issued or was shown, and what it said. No token is written
// down, only the first 16 bytes of its SHA-256 and what its header and claims tell.
import crypto from 'node:crypto';
import fs from 'node:fs';
import { LAB } from './world.mjs';

export const print = (t) => crypto.createHash('sha256').update(t).digest('hex').slice(0, 32);
export const peek = (t) => {
	const p = t.split('.');
	if (p.length !== 3) return {};
	try {
		const o = (x) => JSON.parse(Buffer.from(x, 'base64url'));
		return { head: o(p[0]), body: o(p[1]) };
	} catch {
		return {};
	}
};
export const book = (server, who, role, kind, token, more = {}) => {
	if (!token) return;
	const { head = {}, body = {} } = peek(token);
	fs.appendFileSync(
		`${LAB}/log/book.jsonl`,
		JSON.stringify({
			time: Date.now(),
			role,
			kind,
			token: print(token),
			issuer: body.iss || more.issuer || '-',
			client_id: body.client_id || body.azp || more.client || '-',
			subject: body.sub || more.sub || '-',
			jti: body.jti || '-',
			alg: head.alg || '-',
			kid: head.kid || '-',
			from: who.from,
			peer: who.peer,
			server,
			verdict: more.verdict || '-',
			note: more.note || '',
		}) + '\n',
	);
};

// One world: names, addresses, people, applications, keys. What differs between labs is in NAME.json;
// everything else follows from it and from its seed, so that nothing is known twice.
import crypto from 'node:crypto';
import fs from 'node:fs';

export const LAB = process.env.MW_LAB;
export const MODE = process.env.MW_MODE || 'http1';
const w = JSON.parse(fs.readFileSync(process.env.MW_WORLD, 'utf8'));
export const W = w;

export const derive = (label, n = 32) => Buffer.from(crypto.hkdfSync('sha256', w.seed, 'weblab', label, n));
export const guid = (label) => {
	const h = derive('guid ' + label, 16);
	h[6] = (h[6] & 15) | 64;
	h[8] = (h[8] & 63) | 128;
	return h.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
export const secret = (label) => derive('secret ' + label, 30).toString('base64url');

export const TENANT = w.tenant,
	FOLK_TENANT = w.consumer_tenant;
w.enterprise.mount = w.enterprise.mount.replace('TENANT', TENANT);
w.consumer.mount = w.consumer.mount.replace('TENANT', FOLK_TENANT);
export const ISS = {
	consumer: `https://${w.consumer.host}${w.consumer.mount}`,
	enterprise: `https://${w.enterprise.host}${w.enterprise.mount}`,
};
export const SERVERS = ['consumer', 'enterprise', 'mail', 'files', 'times', 'albums', 'ledger', 'portal', 'gate'];
export const AUD = Object.fromEntries(['mail', 'files', 'times', 'albums'].map((s) => [s, `https://${w[s].host}`]));
export const byHost = new Map([...SERVERS, 'keyhost'].map((s) => [w[s].host, w[s]]));
export const addr6 = (s) => `${w.net6}::${s.addr.split('.')[3]}`;

const PETS = ['Heron', 'Lichen', 'Tinder', 'Gravel', 'Bramble', 'Sorrel'];
const person = (login, side) => {
	const domain = side === 'enterprise' ? w.staff_domain : w.folk_domain;
	return {
		login,
		side,
		upn: `${login}@${domain}`,
		name: login
			.split('.')
			.map((x) => x[0].toUpperCase() + x.slice(1))
			.join(' '),
		password: PETS[derive('pet ' + login, 1)[0] % PETS.length] + '-' + derive('pw ' + login, 5).toString('hex'),
		sub: side === 'enterprise' ? derive('sub ' + login, 32).toString('base64url') : guid('sub ' + login),
		oid: guid('oid ' + login),
	};
};
export const STAFF = w.staff.split(' ').map((l) => person(l, 'enterprise'));
STAFF[w.weak].password = w.weak_password; // what a sprayer finds
export const FOLK = w.folk.split(' ').map((l) => person(l, 'consumer'));
export const PEOPLE = { enterprise: STAFF, consumer: FOLK };

const app = (side, name, grants, more = {}) => ({
	side,
	name,
	id: side === 'enterprise' ? guid('app ' + name) : name,
	grants,
	auth: 'none',
	...more,
});
const CC = ['client_credentials'],
	CODE = ['authorization_code', 'refresh_token'],
	DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const APPS = [
	app('enterprise', 'desk-mail', [...CODE, DEVICE], {
		native: true,
		redirect: ['http://127.0.0.1/done'],
		resource: 'mail',
	}),
	app('enterprise', 'files-spa', CODE, { redirect: [`https://spa.${w.staff_domain}/cb`], resource: 'files' }),
	app('enterprise', 'old-spa', ['implicit', 'authorization_code'], {
		redirect: [`https://old.${w.staff_domain}/cb`],
		types: ['id_token token', 'id_token', 'code id_token', 'code'],
		resource: 'times',
		idalg: 1,
	}),
	app('enterprise', 'ledger-web', [...CODE, 'implicit'], {
		auth: 'client_secret_basic',
		redirect: [`https://${w.ledger.host}/cb`],
		types: ['code', 'code id_token'],
		resource: 'mail',
	}),
	app('enterprise', 'portal', [...CODE], {
		auth: 'client_secret_basic',
		redirect: [`https://${w.portal.host}/oidc/cb`],
	}),
	app('enterprise', 'reports', CC, {
		auth: 'client_secret_post',
		resource: 'files',
		roles: { files: ['Files.Read.All'], mail: ['Mail.Read.Shared'] },
	}),
	app('enterprise', 'payroll', CC, {
		auth: 'private_key_jwt',
		resource: 'times',
		roles: { times: ['Timesheet.Read.All'], mail: ['Mail.Send'] },
	}),
	app('enterprise', 'archiver', CC, {
		auth: 'client_secret_basic',
		resource: 'mail',
		roles: { mail: ['Mail.Read.All', 'full_access_as_app'] },
	}),
	app('enterprise', 'old-tool', CC, {
		auth: 'client_secret_basic',
		resource: 'mail',
		roles: { mail: ['Mail.Read.All', 'full_access_as_app'] },
	}),
	app('enterprise', 'pilot', CC, {
		auth: 'client_secret_post',
		resource: 'mail',
		roles: { mail: ['Mail.Send'], files: ['Files.Read.All'] },
	}),
	app('enterprise', 'scanner', ['password', 'refresh_token'], { resource: 'mail' }),
	app('enterprise', 'sync', ['password', 'refresh_token'], { auth: 'client_secret_post', resource: 'files' }),
	app('enterprise', 'shell', ['password'], { native: true, resource: 'mail' }),
	app('enterprise', 'kiosk', [DEVICE, 'refresh_token'], { native: true, resource: 'files' }),
	app('enterprise', 'broker', [EXCHANGE, 'client_credentials'], {
		auth: 'client_secret_basic',
		resource: 'mail',
		roles: { mail: ['Mail.Send'] },
	}),
	app('enterprise', 'bound', [...CODE], {
		native: true,
		redirect: ['http://127.0.0.1/bound'],
		resource: 'mail',
		dpop: true,
	}),
	app('enterprise', 'batch', CC, {
		auth: 'self_signed_tls_client_auth',
		resource: 'files',
		roles: { files: ['Files.Read.All'] },
		mtls: true,
	}),
	app('enterprise', 'albums-api', [], { auth: 'client_secret_basic' }),
	app('enterprise', 'notes-helper', [...CODE, DEVICE], {
		native: true,
		redirect: ['http://127.0.0.1/notes'],
		resource: 'mail',
	}),
	app('consumer', 'album-app', CODE, { native: true, redirect: ['com.pebblebox.album:/cb'], resource: 'albums' }),
	app('consumer', 'home-mail', CODE, { native: true, redirect: ['com.pebblebox.mail:/cb'], resource: 'mail' }),
	app('consumer', 'tv', [DEVICE, 'refresh_token'], { native: true, resource: 'albums' }),
	app('consumer', 'albums-api', [], { auth: 'client_secret_basic' }),
	app('consumer', 'backup', CC, {
		auth: 'client_secret_basic',
		resource: 'albums',
		roles: { albums: ['Albums.Read.All'] },
	}),
];
export const APP = (name, side) => APPS.find((a) => a.name === name && (!side || a.side === side));

// Keys of a world are made once a lab (they die with it) and lie in LAB/keys.
const keyfile = (n) => `${LAB}/keys/${n}.json`;
export const makeKeys = () => {
	fs.mkdirSync(`${LAB}/keys`, { recursive: true });
	const gen = (alg, kid) => {
		const { privateKey } = alg.startsWith('ES')
			? crypto.generateKeyPairSync('ec', { namedCurve: { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg] })
			: alg === 'EdDSA'
				? crypto.generateKeyPairSync('ed25519')
				: crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
		return { ...privateKey.export({ format: 'jwk' }), alg: alg === 'EdDSA' ? 'EdDSA' : alg, use: 'sig', kid };
	};
	const kid = () => crypto.randomBytes(20).toString('base64url');
	for (const side of ['consumer', 'enterprise'])
		fs.writeFileSync(
			keyfile(side),
			JSON.stringify({
				first: gen(w.algs[0], kid()),
				second: gen(w.algs[1], kid()),
				next: gen(w.algs[0], kid()),
				last: gen(w.algs[0], kid()),
			}),
		);
	for (const a of APPS.filter((x) => x.auth === 'private_key_jwt'))
		fs.writeFileSync(keyfile('app-' + a.name), JSON.stringify(gen('RS256', kid())));
	fs.writeFileSync(keyfile('rogue'), JSON.stringify({ rsa: gen('RS256', kid()), ec: gen('ES256', kid()) }));
	fs.writeFileSync(keyfile('dpop'), JSON.stringify(gen('ES256', undefined)));
};
export const keys = (n) => JSON.parse(fs.readFileSync(keyfile(n), 'utf8'));
export const pub = (k) => {
	const { d, p, q, dp, dq, qi, ...rest } = k;
	return rest;
};

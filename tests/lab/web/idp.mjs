// An issuer: oidc-provider as "consumer" or "enterprise" (argument). A socket in LAB/ctl turns its keys, changes
// an application's roles or credential, and poisons one JWKS answer.
import fs from 'node:fs';
import http from 'node:http';
import zlib from 'node:zlib';
import { Readable } from 'node:stream';
import * as jose from 'jose';
import { Provider, errors, interactionPolicy } from 'oidc-provider';
import {
	APPS,
	AUD,
	EXCHANGE,
	FOLK_TENANT,
	ISS,
	LAB,
	PEOPLE,
	TENANT,
	W,
	keys,
	pub,
	secret,
	derive,
	guid,
} from './world.mjs';
import { clientOf, readBody, serve } from './net.mjs';
import { book } from './book.mjs';
import { Store } from './store.mjs';
import * as soap from './soap.mjs';

const side = process.argv[2],
	at = W[side],
	people = PEOPLE[side],
	mount = at.mount;
const k = keys(side);
const state = { set: [k.first, k.second], roles: {}, poison: [], auth: {}, ttl: {} };
const SCOPES = {
	mail: 'Mail.Read Mail.Send',
	files: 'Files.Read Files.ReadWrite',
	times: 'Time.Read Time.Write',
	albums: 'albums.read albums.write',
};
const ALG = { mail: W.algs[0], files: W.algs[1], times: W.algs[0] };
const audOf = (id) => Object.keys(AUD).find((n) => AUD[n] === id);

// Consent was given long ago; it is asked for only where prompt=consent says so
const policy = interactionPolicy.base();
policy.get('consent').checks.remove('native_client_prompt');

function metadata(a) {
	const auth = state.auth[a.name] || a.auth;
	const m = {
		client_id: a.id,
		grant_types: a.grants.length ? a.grants : [],
		redirect_uris: a.redirect || [],
		response_types: a.types || (a.redirect ? ['code'] : []),
		token_endpoint_auth_method: auth,
		application_type: a.native ? 'native' : 'web',
		id_token_signed_response_alg: W.algs[a.idalg || 0],
	};
	if (auth.startsWith('client_secret')) m.client_secret = secret('app ' + a.name);
	if (auth === 'private_key_jwt') m.jwks = { keys: [pub(keys('app-' + a.name))] };
	if (a.dpop) m.dpop_bound_access_tokens = true;
	if (a.mtls) {
		m.tls_client_certificate_bound_access_tokens = true;
		m.jwks = { keys: [JSON.parse(fs.readFileSync(`${LAB}/keys/batch.jwk`, 'utf8'))] };
	}
	if (a.name === 'ledger-web' || a.name === 'portal')
		m.post_logout_redirect_uris = [`https://${a.name === 'portal' ? W.portal.host : W.ledger.host}/bye`];
	return m;
}

const pemOf = (ctx) => {
	const h = ctx.get('x-client-cert');
	if (h) return decodeURIComponent(h);
	const c = ctx.req.socket.getPeerCertificate?.(true);
	return c?.raw ? `-----BEGIN CERTIFICATE-----\n${c.raw.toString('base64')}\n-----END CERTIFICATE-----` : undefined;
};

function settings() {
	return {
		adapter: Store,
		clientAuthMethods: [
			'none',
			'client_secret_basic',
			'client_secret_post',
			'private_key_jwt',
			'self_signed_tls_client_auth',
		],
		responseTypes: ['code', 'id_token', 'id_token token', 'code id_token', 'code token', 'none'],
		clients: APPS.filter((a) => a.side === side).map(metadata),
		jwks: { keys: state.set },
		enabledJWA: {
			idTokenSigningAlgValues: [...W.algs],
			clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256'],
			userinfoSigningAlgValues: [...W.algs],
			introspectionSigningAlgValues: [...W.algs],
			authorizationSigningAlgValues: [...W.algs],
			requestObjectSigningAlgValues: ['RS256', 'ES256'],
			dPoPSigningAlgValues: ['ES256', 'RS256'],
		},
		clientDefaults: { id_token_signed_response_alg: W.algs[0] },
		scopes: ['openid', 'profile', 'email', 'offline_access'],
		claims: {
			openid: ['sub', ...(side === 'enterprise' ? ['tid', 'oid', 'ver'] : ['tid'])],
			profile: ['name', 'preferred_username'],
			email: ['email'],
		},
		conformIdTokenClaims: false,
		cookies: { keys: [derive('cookie ' + side).toString('hex')] },
		pkce: {
			required: (ctx, client) => client.clientAuthMethod === 'none' && !client.responseTypes.includes('id_token token'),
		},
		routes:
			side === 'enterprise'
				? {
						authorization: '/authorize',
						token: '/token',
						jwks: '/keys',
						userinfo: '/userinfo',
						end_session: '/logout',
						device_authorization: '/devicecode',
						code_verification: '/deviceauth',
						pushed_authorization_request: '/par',
						introspection: '/introspect',
						revocation: '/revoke',
					}
				: {
						authorization: '/oauth2/auth',
						token: '/oauth2/token',
						jwks: '/oauth2/certs',
						introspection: '/oauth2/introspect',
						revocation: '/oauth2/revoke',
						userinfo: '/oauth2/me',
					},
		interactions: { url: (ctx, i) => `${mount}/signin/${i.uid}`, policy },
		ttl: {
			AccessToken: W.life,
			ClientCredentials: W.life,
			IdToken: 3600,
			RefreshToken: 14 * 86400,
			AuthorizationCode: 60,
			Session: 86400,
			Grant: 14 * 86400,
			Interaction: 3600,
			DeviceCode: 600,
		},
		issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
		rotateRefreshToken: true,
		features: {
			devInteractions: { enabled: false },
			clientCredentials: { enabled: true },
			introspection: { enabled: true },
			revocation: { enabled: true },
			deviceFlow: { enabled: true },
			dPoP: { enabled: true },
			pushedAuthorizationRequests: { enabled: true },
			mTLS: { enabled: true, certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true, getCertificate: pemOf },
			rpInitiatedLogout: { enabled: true },
			resourceIndicators: {
				enabled: true,
				defaultResource: () => undefined,
				useGrantedResource: () => true,
				getResourceServerInfo: (ctx, id, client) => {
					const name = audOf(id);
					if (!name) throw new errors.InvalidTarget();
					const opaque = name === 'albums';
					return {
						scope: SCOPES[name] + ' .default',
						audience: id,
						accessTokenFormat: opaque ? 'opaque' : 'jwt',
						accessTokenTTL:
							state.ttl[client.clientId] ||
							(name === 'times' ? 28800 : W.life + (client.clientId.charCodeAt(0) % 5) * 60),
						...(opaque ? {} : { jwt: { sign: { alg: ALG[name] } } }),
					};
				},
			},
		},
		extraTokenClaims: (ctx, token) => claimsFor(token),
		findAccount: (ctx, id) => {
			const p = people.find((x) => x.sub === id);
			return (
				p && {
					accountId: id,
					claims: () => ({
						sub: id,
						name: p.name,
						preferred_username: p.upn,
						email: p.upn,
						tid: side === 'enterprise' ? TENANT : FOLK_TENANT,
						oid: p.oid,
						ver: '2.0',
					}),
				}
			);
		},
		loadExistingGrant: async (ctx) => {
			const { provider, client, session } = ctx.oidc;
			const id = session.grantIdFor(client.clientId);
			const grant =
				(id && (await provider.Grant.find(id))) ||
				new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
			grant.addOIDCScope('openid profile email offline_access');
			for (const [rs, info] of Object.entries(ctx.oidc.resourceServers)) grant.addResourceScope(rs, info.scope);
			await grant.save();
			return grant;
		},
		renderError: (ctx, out) => {
			ctx.type = 'html';
			ctx.body = `<!DOCTYPE html><title>Error</title><p>${out.error}</p>`;
		},
	};
}

function claimsFor(token) {
	const p = people.find((x) => x.sub === token.accountId);
	const a = APPS.find((x) => x.side === side && x.id === token.clientId);
	const rs = audOf(token.resourceServer?.identifier?.() || token.aud);
	if (side === 'consumer')
		return p
			? {
					tid: FOLK_TENANT,
					puid: p.oid.replaceAll('-', '').slice(0, 16).toUpperCase(),
					...(a?.name === 'home-mail' ? { email: p.upn } : {}),
				}
			: { tid: FOLK_TENANT, roles: a?.roles?.[rs] };
	const roles = state.roles[a?.name] || a?.roles?.[rs] || [];
	if (W.template === 'plain')
		return {
			azp: token.clientId,
			acr: '1',
			...(p ? { preferred_username: p.upn, sid: guid('s' + Math.random()) } : { roles }),
		};
	const common = {
		tid: TENANT,
		ver: '2.0',
		uti: Buffer.from(guid('u' + Math.random()).slice(0, 16)).toString('base64url'),
	};
	if (!p) return { ...common, azpacr: '1', idtyp: 'app', roles };
	return { ...common, azpacr: a?.auth === 'none' ? '0' : '1', oid: p.oid, upn: p.upn, name: p.name };
}

// Grants of our own: the password grant and RFC 8693. The latter trusts every key it knows: the flaw.
async function ropc(ctx) {
	const { params, client, provider } = ctx.oidc;
	const p = people.find((x) => x.upn === params.username);
	if (!p || p.password !== params.password)
		throw Object.assign(new errors.InvalidGrant('invalid username or password'), {
			error_description: p
				? 'AADSTS50126: invalid username or password'
				: 'AADSTS50034: the user account does not exist',
		});
	await tokensFor(ctx, provider, client, p, params.scope, params.resource, 'password');
}

async function tokensFor(ctx, provider, client, p, scope, resource, gty, refresh = true) {
	const grant = new provider.Grant({ clientId: client.clientId, accountId: p.sub });
	grant.addOIDCScope('openid offline_access');
	const at = new provider.AccessToken({ accountId: p.sub, client, gty, scope: scope || 'openid' });
	const id = resource || AUD[APPS.find((a) => a.id === client.clientId)?.resource];
	const info = settings().features.resourceIndicators.getResourceServerInfo(ctx, id, client);
	grant.addResourceScope(id, info.scope);
	at.grantId = await grant.save();
	at.resourceServer = new provider.ResourceServer(id, info);
	at.scope = info.scope.replace(' .default', '');
	ctx.oidc.entity('AccessToken', at);
	const access_token = await at.save();
	let refresh_token;
	if (refresh && client.grantTypeAllowed('refresh_token')) {
		const rt = new provider.RefreshToken({
			accountId: p.sub,
			client,
			grantId: at.grantId,
			gty,
			scope: 'openid offline_access ' + at.scope,
			resource: id,
			rotations: 0,
			authTime: Math.floor(Date.now() / 1000),
		});
		refresh_token = await rt.save();
	}
	ctx.body = {
		access_token,
		token_type: 'Bearer',
		expires_in: at.expiration,
		scope: at.scope,
		...(refresh_token ? { refresh_token } : {}),
	};
}

async function exchange(ctx) {
	const { params, client, provider } = ctx.oidc;
	const other = keys(side === 'enterprise' ? 'consumer' : 'enterprise');
	const set = jose.createLocalJWKSet({ keys: [...state.set, other.first, other.second, other.next].map(pub) });
	let got;
	try {
		({ payload: got } = await jose.jwtVerify(params.subject_token, set, { issuer: ISS[side] }));
	} catch (e) {
		throw new errors.InvalidGrant('subject_token: ' + e.message);
	}
	const p = people.find((x) => x.sub === got.sub);
	if (!p) throw new errors.InvalidGrant('no such subject');
	await tokensFor(ctx, provider, client, p, undefined, params.resource, 'token-exchange', false);
	ctx.body.issued_token_type = 'urn:ietf:params:oauth:token-type:access_token';
}

const verdict = (ctx, pendingOk) => {
	const e = ctx.body?.error;
	if (pendingOk && (e === 'authorization_pending' || e === 'slow_down')) return '-';
	return ctx.status < 400 ? 'accepted' : 'refused';
};

function books(ctx) {
	const who = clientOf(ctx.req),
		o = ctx.oidc,
		b = o?.body || {},
		out = ctx.body;
	const more = {
		issuer: ISS[side],
		client: o?.entities?.Client?.clientId || b.client_id || '-',
		sub: o?.entities?.Account?.accountId || o?.entities?.AccessToken?.accountId || '-',
	};
	const shown = (kind, t, v, note) => book(side, who, 'presented', kind, t, { ...more, verdict: v, note });
	const gave = (kind, t) => book(side, who, 'issued', kind, t, more);
	const v = verdict(ctx),
		why = typeof out === 'object' && out?.error ? `${out.error}` : '';
	if (o?.route === 'token') {
		shown('client_assertion', b.client_assertion, out?.error === 'invalid_client' ? 'refused' : 'accepted');
		shown('code', b.code, v, why);
		shown('refresh_token', b.refresh_token, v, why);
		shown('device_code', b.device_code, verdict(ctx, true), why);
		shown('access_token', b.subject_token, v, why || 'token exchange');
	}
	if (o?.route === 'introspection' && b.token)
		shown('access_token', b.token, out?.active ? 'accepted' : 'refused', 'introspection');
	if (o?.route === 'revocation')
		shown(ctx.oidc?.entities?.RefreshToken ? 'refresh_token' : 'access_token', b.token, v, 'revocation');
	if (o?.route === 'userinfo')
		shown('access_token', ctx.get('authorization').split(' ')[1] || b.access_token, v, 'userinfo');
	if (o?.route === 'end_session') shown('id_token', o.params?.id_token_hint || b.id_token_hint, v, 'hint');
	if (ctx.get('dpop')) shown('dpop_proof', ctx.get('dpop'), v);
	if (out && typeof out === 'object' && !Buffer.isBuffer(out) && ctx.status < 300) {
		if (o?.route === 'token') for (const kind of ['access_token', 'id_token', 'refresh_token']) gave(kind, out[kind]);
		gave('device_code', out.device_code);
		if (out.request_uri) gave('request_uri', out.request_uri);
	}
	const loc = ctx.response.get('location');
	if (/[?#&](code|access_token|id_token)=/.test(loc) && new URL(loc, ISS[side]).hostname !== at.host) {
		const u = new URL(loc);
		for (const q of [u.searchParams, new URLSearchParams(u.hash.slice(1))])
			for (const kind of ['code', 'access_token', 'id_token']) gave(kind, q.get(kind));
	}
	if (typeof out === 'string')
		for (const m of out.matchAll(/name="(code|access_token|id_token)" value="([^"]+)"/g)) gave(m[1], m[2]);
}

function squeeze(ctx) {
	if (!ctx.body || typeof ctx.body !== 'object' || Buffer.isBuffer(ctx.body) || ctx.body instanceof Readable) return;
	const text = JSON.stringify(ctx.body),
		enc = ctx.get('accept-encoding');
	if (text.length < 300) return;
	const type = ctx.response.get('content-type');
	if (side === 'consumer' && enc.includes('br')) {
		ctx.body = zlib.brotliCompressSync(text);
		ctx.set('Content-Encoding', 'br');
	} else if (enc.includes('gzip')) {
		ctx.body = Readable.from([zlib.gzipSync(text)]);
		ctx.set('Content-Encoding', 'gzip');
	} else return;
	ctx.vary('Accept-Encoding');
	ctx.set('Content-Type', type || 'application/json; charset=utf-8');
}

let provider, callback;
function build() {
	provider = new Provider(ISS[side], settings());
	provider.proxy = true;
	provider.registerGrantType('password', ropc, ['username', 'password', 'scope', 'resource']);
	provider.registerGrantType(EXCHANGE, exchange, [
		'subject_token',
		'subject_token_type',
		'resource',
		'audience',
		'scope',
		'requested_token_type',
	]);
	provider.use(async (ctx, next) => {
		await next();
		if (ctx.path.endsWith('/keys') || ctx.path.endsWith('/certs')) {
			const who = clientOf(ctx.req).from,
				i = state.poison.findIndex((x) => x.to === who);
			if (i >= 0) ctx.body = { keys: [...ctx.body.keys, state.poison.splice(i, 1)[0].key] };
		}
		books(ctx);
		squeeze(ctx);
	});
	provider.on('server_error', (ctx, e) => console.error(new Date().toISOString(), 'server_error', e));
	callback = provider.callback();
}
build();

const FORMS = {
	login: '<input name="username"><input type="password" name="password">',
	consent: '<p>An application asks for access to your data.</p><input type="hidden" name="consent" value="yes">',
};
const page = (uid, prompt, error) =>
	`<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>${at.host}</h1>` +
	(error ? `<p class="error">${error}</p>` : '') +
	`<form method="post" action="${mount}/signin/${uid}">${FORMS[prompt]}<button>Next</button></form></body></html>`;
const html = (res, status, text) => {
	res.writeHead(status, {
		'Content-Type': 'text/html; charset=utf-8',
		'Content-Length': Buffer.byteLength(text),
		'Cache-Control': 'no-store',
	});
	res.end(text);
};

async function signin(req, res) {
	let details;
	try {
		details = await provider.interactionDetails(req, res);
	} catch {
		return html(res, 400, 'session lost');
	}
	const prompt = details.prompt.name;
	if (req.method === 'GET') return html(res, 200, page(details.uid, prompt));
	const form = new URLSearchParams((await readBody(req)).toString());
	if (prompt === 'consent')
		return provider.interactionFinished(req, res, { consent: {} }, { mergeWithLastSubmission: true });
	const p = people.find((x) => x.upn === form.get('username'));
	if (!p || p.password !== form.get('password'))
		return html(res, 200, page(details.uid, 'login', 'Your account or password is incorrect.'));
	return provider.interactionFinished(req, res, { login: { accountId: p.sub } }, { mergeWithLastSubmission: false });
}

async function wstrust(req, res) {
	const xml = (await readBody(req)).toString();
	const p = people.find((y) => y.upn === soap.field(xml, 'Username'));
	const ok = p && p.password === soap.field(xml, 'Password');
	const out = ok ? soap.answer(ISS[side], p.oid) : soap.fault();
	res.writeHead(ok ? 200 : 500, {
		'Content-Type': 'application/soap+xml; charset=utf-8',
		'Content-Length': Buffer.byteLength(out),
	});
	res.end(out);
}

serve(
	side,
	(req, res) => {
		Promise.resolve()
			.then(() => {
				if (req.url.startsWith(mount + '/signin/')) return signin(req, res);
				if (req.url.startsWith('/trust/2005/usernamemixed')) return wstrust(req, res);
				if (mount) {
					if (!req.url.startsWith(mount + '/')) return html(res, 404, 'not found');
					req.originalUrl = req.url;
					req.baseUrl = mount;
					req.url = req.url.slice(mount.length);
				}
				return callback(req, res);
			})
			.catch((e) => {
				console.error(e);
				res.destroy();
			});
	},
	{ certs: side === 'enterprise' },
);

const VERBS = {
	keys: (a) => {
		state.set = a.map((n) => k[n]);
		build();
	},
	roles: (a) => {
		state.roles[a.app] = a.roles;
	},
	auth: (a) => {
		state.auth[a.app] = a.method;
		build();
	},
	ttl: (a) => {
		state.ttl[a.client] = a.ttl;
	},
	poison: (a) => {
		state.poison.push(a);
	},
};
http
	.createServer(async (req, res) => {
		VERBS[req.url.slice(1)](JSON.parse(await readBody(req)));
		res.end('ok');
	})
	.listen(`${LAB}/ctl/${side}.sock`);

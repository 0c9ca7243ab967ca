// What an issuer remembers; keys turn without forgetting it. Nothing is ever evicted, so a code or a token used
// again is always recognised.
const rows = new Map(),
	grants = new Map(),
	uids = new Map(),
	codes = new Map();

export class Store {
	constructor(model) {
		this.model = model;
	}
	key(id) {
		return `${this.model}:${id}`;
	}

	async upsert(id, payload) {
		rows.set(this.key(id), payload);
		if (payload.grantId) grants.set(payload.grantId, (grants.get(payload.grantId) || new Set()).add(this.key(id)));
		if (payload.uid) uids.set(payload.uid, id);
		if (payload.userCode) codes.set(payload.userCode, id);
	}
	async find(id) {
		return rows.get(this.key(id));
	}
	async findByUid(uid) {
		return this.find(uids.get(uid));
	}
	async findByUserCode(code) {
		return this.find(codes.get(code));
	}
	async consume(id) {
		const r = rows.get(this.key(id));
		if (r) r.consumed = Math.floor(Date.now() / 1000);
	}
	async destroy(id) {
		rows.delete(this.key(id));
	}
	async revokeByGrantId(id) {
		for (const k of grants.get(id) || []) rows.delete(k);
		grants.delete(id);
	}
}

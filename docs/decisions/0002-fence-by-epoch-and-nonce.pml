/*
 * The lease protocol of one ID, as ADR 0002 and the five rules of the architecture page have it, for spin.
 *
 * Replicas serve requests, one after another, each of any kind: PATCH, DELETE, Sweep, POST. The actions are named as in the code:
 * Create, Load, Acquire, Commit and Delete are calls of tus.State, each atomic (what package statetest's check of linearizability
 * holds the databases to); Append, Complete and Remove are calls of tus.Storage, in steps as small as a store's requests. Between any two
 * steps a replica may freeze for any time, or crash. A call of the State may lose its answer and be repeated under its nonce; a copy of
 * any call may arrive at any later time, also when its caller has gone on or is dead. A lease may expire at any time: there is no
 * clock here, so whatever is found to hold, holds under any clocks.
 *
 * The assertions are the promises; see promise(). The bounds are below: how many replicas, lives of the ID, leases in a life, units of bytes
 * in an upload, and copies under way. Within them spin looks at every schedule. With -DLIVENESS the faults are counted, and the
 * claim is that an upload whose client keeps retrying ends.
 *
 * Left out: concatenation and hooks; a Create that arrives after the record was deleted (see package state: it brings back an empty
 * upload); several objects under one key, which the storages refuse.
 */

#ifndef REPLICAS
#define REPLICAS 2
#endif
#ifndef LIVES
#define LIVES 2     /* of the ID: Create after Delete, under another birth */
#endif
#ifndef LEASES
#define LEASES 4    /* the last epoch of a life */
#endif
#ifndef LENGTH
#define LENGTH 2    /* of the upload, in units; an Append brings one */
#endif
#ifndef COPIES
#define COPIES 1    /* calls that are under way a second time */
#endif
#ifndef FAULTS
#define FAULTS 2    /* with -DLIVENESS: how many crashes, lost answers, copies, spoilt bodies, and leases that expire under a living holder */
#endif

#define GRANT 2     /* slots that a PATCH claims */
#define NAMES 16    /* more than can be granted within the bounds */
#define ANY   255   /* tus.AnyOffset */

/* phases */
#define OPEN   0
#define SEALED 1
#define DONE   2
#define DOOMED 3

/* kinds of calls: of the State, and of the Storage */
#define ACQUIRE  1
#define COMMIT   2
#define DELETE   3
#define APPEND   4
#define ERASE    5
#define COMPLETE 6
#define REMOVE1  7
#define REMOVE2  8

/* answers */
#define NONE       0
#define OK         1
#define NOTFOUND   2
#define LEASED     3
#define OFFSET     4
#define SUPERSEDED 5

/* what comes after a call: one of these, or a kind of call */
#define ACQUIRED  11
#define RENEWED   12
#define APPENDED  13
#define COMMITTED 14
#define COMPLETED 15
#define REMOVE    16
#define RELEASE   17
#define NEXT      18

/* kinds of requests */
#define PATCH     1
#define TERMINATE 2
#define SWEEP     3

/* A record, or none. next is the first slot that was never granted, as in state.Record. slot[k] is the cursor: the piece that holds unit k.
   Ghosts, which no rule looks at: grant counts the leases of this life; mark[k] is the lease under which slot[k] was written. */
typedef Record {
	bit there, leased;
	byte birth, epoch, nonce, offset, phase, next, grant;
	byte slot[LENGTH], mark[LENGTH];
#ifdef REUSE_SLOTS
	byte base
#endif
};

/* A lease as a replica holds it: the record as committed, and a run of n slots from first on. */
typedef Lease {
	byte birth, epoch, nonce, offset, phase, first, number, grant;
	byte slot[LENGTH], mark[LENGTH];
};

/* A call under way: the lease it comes with, its claim, and what it would write. Of an Append: next is the name of the piece, and from
   and offset are what it holds. */
typedef Call {
	bit steal, keep;
	byte kind, birth, epoch, lease, nonce, slots, offset, phase, next, from, grant;
	byte slot[LENGTH], mark[LENGTH];
};

/* What the store has of one life. Of a piece: whose it is, which never changes, and what it holds, 0 for none. */
typedef Store {
	bit object, completed, removed;
	byte writer[NAMES], data[NAMES];
};

#define HOLDS(from, to)  (((from) << 4) | (to))
#define HAS(data, k)     (((data) >> 4) <= (k) && (k) < ((data) & 15))

typedef Replica {
	byte how, want, drop, then;
	Lease l;
	Call q;
};

Record rec;
Store store[LIVES + 1];
Replica R[REPLICAS];
Call copy[COPIES + 1];
byte births;
byte faults;
byte told;       /* the answer to the call that is being made */
byte acknowledged; /* ghost: the offset that a client may have been told, in this life */

#define me R[i]
#define L  R[i].l
#define Q  R[i].q

/* A fault may happen at any time; with -DLIVENESS FAULTS of them; with -DCOPIES_OF=COMMIT none but copies of that call. */
#if defined(LIVENESS)
#define MAYFAIL faults < FAULTS
#define MAYCOPY faults < FAULTS
#define FAULT   faults++
#elif defined(COPIES_OF)
#define MAYFAIL false
#define MAYCOPY Q.kind == COPIES_OF
#define FAULT   skip
#else
#define MAYFAIL true
#define MAYCOPY true
#define FAULT   skip
#endif

/* A nonce that nothing refers to is as good as one never used: so few are enough. */
#if REPLICAS > 2
#define REPLICA3(n) || R[2].l.nonce == n || R[2].q.nonce == n
#else
#define REPLICA3(n)
#endif
#if COPIES > 1
#define COPY2(n) || copy[1].nonce == n || copy[1].lease == n
#else
#define COPY2(n)
#endif
#define USED(n) (rec.nonce == n || R[0].l.nonce == n || R[0].q.nonce == n || R[1].l.nonce == n || R[1].q.nonce == n \
	|| copy[0].nonce == n || copy[0].lease == n REPLICA3(n) COPY2(n))

inline fresh(unused) {
	unused = 0; f = 1;
	do
	:: USED(f) -> f++
	:: else -> break
	od;
	unused = f; f = 0
}

inline clearCall(c) {
	c.steal = 0; c.keep = 0; c.kind = 0; c.birth = 0; c.epoch = 0; c.lease = 0; c.nonce = 0; c.slots = 0; c.offset = 0; c.phase = 0;
	c.next = 0; c.from = 0; c.grant = 0;
	k = 0; do :: k < LENGTH -> c.slot[k] = 0; c.mark[k] = 0; k++ :: else -> break od; k = 0
}

inline clearLease(was) {
	was.birth = 0; was.epoch = 0; was.nonce = 0; was.offset = 0; was.phase = 0; was.first = 0; was.number = 0; was.grant = 0;
	k = 0; do :: k < LENGTH -> was.slot[k] = 0; was.mark[k] = 0; k++ :: else -> break od; k = 0
}

/* The pieces that hold the first n units are there, and are those that were committed. */
inline intact(s, c, n) {
	k = 0;
	do
	:: k < n ->
		assert(HAS(store[s].data[c.slot[k]], k));
		assert(store[s].writer[c.slot[k]] == c.mark[k]);
		k++
	:: else -> break
	od;
	k = 0
}

/* ---- the rules of package state ---- */

/* Whether a lease has ended is anybody's guess: no clock is right. With -DLIVENESS it ends once nobody renews it. */
#ifdef LIVENESS
#define HELD rec.leased
#define FREE !rec.leased
#define UNTIL(x) rec.leased = x
#else
#define HELD true
#define FREE true
#define UNTIL(x)
#endif

/* Grant: the next epoch, and slots that nobody had. */
inline Grant(c) {
	if
	:: !rec.there -> told = NOTFOUND
	:: rec.there && rec.nonce == c.nonce -> told = OK /* its own work */
	:: rec.there && rec.nonce != c.nonce && HELD && !c.steal -> told = LEASED
	:: rec.there && rec.nonce != c.nonce && (FREE || c.steal) && c.offset != ANY && c.offset != rec.offset -> told = OFFSET
	:: rec.there && rec.nonce != c.nonce && (FREE || c.steal) && (c.offset == ANY || c.offset == rec.offset) ->
#ifdef LIVENESS
		assert(rec.epoch < LEASES);
#endif
#ifndef SAME_EPOCH
		rec.epoch++;
#endif
		rec.grant++;
#ifdef REUSE_SLOTS
		rec.next = rec.base;
#endif
		rec.next = rec.next + c.slots;
		assert(rec.next < NAMES);
		rec.nonce = c.nonce; UNTIL(1);
		told = OK
	fi
}

#ifdef NO_BIRTH
#define BIRTH(c) true
#else
#define BIRTH(c) (rec.birth == c.birth)
#endif
#ifdef NO_EPOCH
#define EPOCH(c) true
#else
#define EPOCH(c) (rec.epoch == c.epoch)
#endif
#ifdef NO_NONCE
#define NONCE(c) true
#else
#define NONCE(c) (rec.nonce == c.lease)
#endif

/* Advance: only where the record still carries the birth, epoch and nonce of the lease. */
inline Advance(c) {
	if
	:: rec.there && BIRTH(c) && EPOCH(c) && rec.nonce == c.nonce -> told = OK /* its own work */
	:: rec.there && BIRTH(c) && EPOCH(c) && rec.nonce != c.nonce && NONCE(c) ->
		promise(c);
		rec.offset = c.offset; rec.phase = c.phase;
		k = 0; do :: k < LENGTH -> rec.slot[k] = c.slot[k]; rec.mark[k] = c.mark[k]; k++ :: else -> break od; k = 0;
#ifdef REUSE_SLOTS
		rec.base = c.next;
#endif
		rec.next = c.next + c.slots;
		assert(rec.next < NAMES);
		rec.nonce = c.nonce; UNTIL(c.keep);
		acknowledged = c.offset;
		told = OK
	:: else -> told = SUPERSEDED
	fi
}

/* The promises, at each write of a record. */
inline promise(c) {
	assert(c.birth == rec.birth && c.grant == rec.grant); /* a superseded holder changes nothing */
	assert(c.offset >= acknowledged);                     /* an acknowledged offset never goes back */
	assert(c.phase >= rec.phase);
	if
	:: c.phase == OPEN || c.phase == SEALED && rec.phase == OPEN -> intact(c.birth, c, c.offset) /* what is true is durable */
	:: c.phase == DONE -> assert(rec.phase != OPEN && c.offset == LENGTH && store[c.birth].object) /* told when it is so */
	:: else
	fi
}

/* Remove: as Advance; what is gone, or is another life, counts as deleted. */
inline Remove(c) {
	if
	:: !rec.there || !BIRTH(c) -> told = OK
	:: rec.there && BIRTH(c) && !(EPOCH(c) && NONCE(c)) -> told = SUPERSEDED
	:: else ->
		assert(c.birth == rec.birth && c.grant == rec.grant && rec.phase == DOOMED);
		assert(store[c.birth].removed && !store[c.birth].object); /* nothing is left behind */
		rec.there = 0; UNTIL(0); rec.birth = 0; rec.epoch = 0; rec.nonce = 0; rec.offset = 0; rec.phase = 0; rec.next = 0;
		rec.grant = 0; acknowledged = 0;
		k = 0; do :: k < LENGTH -> rec.slot[k] = 0; rec.mark[k] = 0; k++ :: else -> break od; k = 0;
#ifdef REUSE_SLOTS
		rec.base = 0;
#endif
		told = OK
	fi
}

/* ---- the store ---- */

/* One piece is written, under a name of the lease's own. A store replaces without a word what has the name. */
inline write(c) {
	if
	:: !store[c.birth].removed && !store[c.birth].completed ->
		assert(store[c.birth].writer[c.next] == 0 || store[c.birth].writer[c.next] == c.grant); /* no name twice by two leases */
		store[c.birth].writer[c.next] = c.grant;
		store[c.birth].data[c.next] = HOLDS(c.from, c.offset)
	:: else /* no such multipart upload */
	fi
}

inline wipe(s) {
	k = 0; do :: k < NAMES -> store[s].writer[k] = 0; store[s].data[k] = 0; k++ :: else -> break od; k = 0
}

/* The object is made of what the record names. Repeated, it finds its own work. */
inline publish(c) {
	if
	:: store[c.birth].object -> told = OK
	:: !store[c.birth].object && !store[c.birth].removed && !store[c.birth].completed ->
		assert(c.offset == LENGTH);
		intact(c.birth, c, LENGTH); /* the bytes of the object are those that were acknowledged, all of them */
#ifdef LIST_PIECES
		k = 0;
		do
		:: k < NAMES -> assert(store[c.birth].data[k] == 0 || c.slot[0] == k || c.slot[LENGTH - 1] == k); k++
		:: else -> break
		od;
		k = 0;
#endif
		assert(!rec.there || rec.birth != c.birth || rec.phase != DONE); /* once */
		store[c.birth].object = 1; store[c.birth].completed = 1;
		wipe(c.birth);
		told = OK
	:: else -> told = NOTFOUND
	fi
}

/* ---- the network ---- */

inline apply(c) {
	if
	:: c.kind == ACQUIRE -> Grant(c)
	:: c.kind == COMMIT -> Advance(c)
	:: c.kind == DELETE -> Remove(c)
	:: c.kind == APPEND -> write(c); told = OK
	:: c.kind == ERASE -> store[c.birth].data[c.next] = 0; told = OK
	:: c.kind == COMPLETE -> publish(c)
#ifndef OBJECT_FIRST
	:: c.kind == REMOVE1 -> store[c.birth].removed = 1; wipe(c.birth); told = OK /* what a late Complete would need */
	:: c.kind == REMOVE2 -> store[c.birth].object = 0; told = OK
#else
	:: c.kind == REMOVE1 -> store[c.birth].object = 0; told = OK
	:: c.kind == REMOVE2 -> store[c.birth].removed = 1; wipe(c.birth); told = OK
#endif
	fi
}

inline keepCopy(c) {
	c.steal = Q.steal; c.keep = Q.keep; c.kind = Q.kind; c.birth = Q.birth; c.epoch = Q.epoch; c.lease = Q.lease; c.nonce = Q.nonce;
	c.slots = Q.slots; c.offset = Q.offset; c.phase = Q.phase; c.next = Q.next; c.from = Q.from; c.grant = Q.grant;
	k = 0; do :: k < LENGTH -> c.slot[k] = Q.slot[k]; c.mark[k] = Q.mark[k]; k++ :: else -> break od; k = 0
}

/* The lease that the record stands for. */
inline granted() {
	L.birth = rec.birth; L.epoch = rec.epoch; L.nonce = rec.nonce; L.offset = rec.offset; L.phase = rec.phase; L.number = Q.slots;
	L.first = rec.next - Q.slots; L.grant = rec.grant;
	k = 0; do :: k < LENGTH -> L.slot[k] = rec.slot[k]; L.mark[k] = rec.mark[k]; k++ :: else -> break od; k = 0
}

#ifdef LIVENESS
#define WITHIN true
#else
#define WITHIN (Q.kind != ACQUIRE || rec.grant < LEASES || rec.nonce == Q.nonce)
#endif

/* ---- the engine of package tus ---- */

/* What a call under the lease carries. */
inline under(what) {
	clearCall(Q);
	Q.kind = what; Q.birth = L.birth; Q.epoch = L.epoch; Q.lease = L.nonce; Q.grant = L.grant;
	Q.offset = L.offset; Q.phase = L.phase; Q.next = L.first;
	k = 0; do :: k < LENGTH -> Q.slot[k] = L.slot[k]; Q.mark[k] = L.mark[k]; k++ :: else -> break od; k = 0
}

/* The commit of an Append's receipt: the new piece holds what it says. */
inline receipt() {
	f = Q.from;
	under(COMMIT);
	do
	:: f <= L.offset -> Q.slot[f] = L.first; Q.mark[f] = L.grant; f++
	:: else -> break
	od;
	Q.offset = f; Q.next = L.first + 1; f = 0
}

inline Create() {
	births++;
	rec.there = 1; rec.birth = births; rec.epoch = 1; rec.grant = 1; rec.next = 1;
#ifdef REUSE_SLOTS
	rec.base = 1;
#endif
	fresh(rec.nonce)
}

#ifdef LIVENESS
/* Clients retry while the upload has not ended; a sweep looks at what is due; a DELETE or an upload's expiry is a fault. */
#define MAYPATCH     rec.there && rec.phase != DONE
#define MAYTERMINATE rec.there && MAYFAIL
#define TERMINATES   faults++
#define MAYSWEEP     rec.there && (rec.phase == SEALED || rec.phase == DOOMED)
#else
#define MAYPATCH     rec.there && rec.grant < LEASES
#define MAYTERMINATE rec.there && rec.grant < LEASES
#define TERMINATES   skip
#define MAYSWEEP     rec.there && rec.grant < LEASES
#endif

/* What happens to a call, besides being made and answered at once: its answer is lost; or a copy of it stays under way, whether or not
   the call itself is made as well. */
inline goesWrong() {
	if
	:: MAYFAIL && WITHIN && Q.kind <= DELETE -> FAULT; apply(Q); told = NONE
	:: MAYCOPY && COPIES > 0 && copy[0].kind == NONE -> FAULT; keepCopy(copy[0])
#if COPIES > 1
	:: MAYCOPY && copy[0].kind != NONE && copy[1].kind == NONE -> FAULT; keepCopy(copy[1])
#endif
	fi
}

/* A replica serves one request after another. It rests in two places: between requests, and in a call, where it may freeze for any time,
   repeat the call as it is, crash, or give up, which is the same to all others. All between two calls concerns nobody else. */
proctype Serve(byte i) {
	byte k, f;
end:
	do
	:: atomic {
		!rec.there && births < LIVES -> Create()
		}
	:: atomic {
		if
		:: MAYPATCH -> me.how = PATCH; Q.slots = GRANT; Q.offset = rec.offset /* Load, at the client's HEAD */
		:: MAYTERMINATE -> TERMINATES; me.how = TERMINATE; Q.steal = 1; Q.offset = ANY; me.want = rec.birth
		:: MAYSWEEP -> me.how = SWEEP; Q.offset = ANY
		fi;
		Q.kind = ACQUIRE; fresh(Q.nonce); me.then = ACQUIRED;
		if
		:: goto made
		:: goesWrong(); goto call
		fi
		}
	od;

call:
	do
	:: atomic { WITHIN ->
made:
		apply(Q);
		if
		:: told == OK && Q.kind <= COMMIT -> granted()
		:: told == OK && Q.kind > COMMIT
		:: told != OK && Q.kind == COMPLETE -> me.then = RELEASE
		:: told != OK && Q.kind != COMPLETE -> me.then = NEXT /* 404, 409, 423: the client tries again */
		fi;
		told = NONE;
		if
		:: me.then == ACQUIRED ->
			if
			:: me.how == TERMINATE && (L.birth != me.want || L.phase == DOOMED) -> goto release
			:: me.how == TERMINATE && L.birth == me.want && L.phase != DOOMED -> goto doom
			:: me.how != TERMINATE && L.phase == DOOMED -> goto remove
			:: me.how != TERMINATE && L.phase == SEALED -> goto finish
			:: me.how != TERMINATE && L.phase == DONE -> goto release
			:: me.how == SWEEP && L.phase == OPEN -> goto release
			:: me.how == SWEEP && L.phase == OPEN && MAYFAIL -> FAULT; goto doom /* it has expired */
			:: me.how == PATCH && L.phase == OPEN -> goto append
			:: me.how == PATCH && L.phase == OPEN && MAYFAIL -> FAULT; /* the lease is renewed while bytes arrive, for the same slots */
				under(COMMIT); Q.keep = 1; Q.slots = L.number; fresh(Q.nonce); me.then = RENEWED; goto call
			fi

		:: me.then == RENEWED ->
append:
			under(APPEND); Q.from = L.offset; Q.offset = L.offset + 1; me.then = APPENDED;
			if
			:: true
			:: L.offset > 0 -> /* the last piece goes into the new one, and is deleted after the commit */
				k = L.offset - 1;
				do :: k > 0 && L.slot[k - 1] == L.slot[k] -> k-- :: else -> break od;
				Q.from = k; k = 0; me.drop = L.slot[L.offset - 1];
				if
				:: store[L.birth].data[me.drop] == 0 -> /* it cannot be read: somebody else has moved the upload on */
					assert(!rec.there || rec.birth != L.birth || rec.grant != L.grant);
					goto next
				:: else
				fi
			fi;
			goto call

		:: me.then == APPENDED ->
#ifdef COUNT_RECEIPTS
			acknowledged = (rec.birth == L.birth && acknowledged < Q.offset -> Q.offset : acknowledged);
#endif
#ifdef DELETE_FIRST
			if :: me.drop -> store[L.birth].data[me.drop] = 0; me.drop = 0 :: else fi;
#endif
			if
			:: true -> /* the receipt counts */
				receipt();
				if
				:: Q.offset == LENGTH -> Q.phase = SEALED; Q.keep = 1
				:: Q.offset < LENGTH -> Q.keep = 1; Q.slots = GRANT /* a checkpoint: the body goes on */
				:: Q.offset < LENGTH                                /* the body has ended */
				fi
			:: MAYFAIL -> FAULT; /* thrown away, for a wrong checksum: the slot is spoilt */
				me.drop = 0; under(COMMIT); Q.next = L.first + 1
			fi;
			fresh(Q.nonce); me.then = COMMITTED; goto call

		:: me.then == COMMITTED && me.drop -> /* delete after commit, never before */
			f = Q.keep; under(ERASE); Q.keep = f; Q.next = me.drop; me.drop = 0; f = 0; goto call

		:: me.then == COMMITTED && !me.drop ->
			if
			:: L.phase == SEALED -> goto finish
			:: L.phase == OPEN && Q.keep -> goto append
			:: L.phase == OPEN && !Q.keep -> goto next
			fi

		:: me.then == COMPLETED ->
			under(COMMIT); Q.phase = DONE; fresh(Q.nonce); me.then = NEXT; goto call

		:: me.then == REMOVE ->
#ifdef RECORD_FIRST
			goto delete;
#endif
remove:
			under(REMOVE1); me.then = REMOVE2; goto call

		:: me.then == REMOVE2 ->
			under(REMOVE2); me.then = DELETE; goto call

		:: me.then == DELETE ->
delete:
			under(DELETE); fresh(Q.nonce); me.then = NEXT; goto call

		:: me.then == RELEASE ->
release:
			under(COMMIT); fresh(Q.nonce); me.then = NEXT; goto call

		:: false ->
finish:
			under(COMPLETE); me.then = COMPLETED; goto call

		:: false ->
doom:
			under(COMMIT); Q.phase = DOOMED; Q.keep = 1; fresh(Q.nonce); me.then = REMOVE; goto call

		:: me.then == NEXT -> goto next
		fi
		}
	:: atomic { goesWrong() }
	:: atomic { MAYFAIL -> FAULT;
next:
		clearLease(L); clearCall(Q); me.how = 0; me.want = 0; me.drop = 0; me.then = 0; goto end
		}
	od
}

#ifdef LIVENESS
#define HOLDS_IT(i) (R[i].l.birth == rec.birth && R[i].l.grant == rec.grant || R[i].q.nonce == rec.nonce)

/* The lease of a dead holder ends; that of a living one only by a fault: it was frozen for too long. */
proctype Clock() {
end:
	do
#ifndef NO_EXPIRY
	:: d_step { rec.leased && !HOLDS_IT(0) && !HOLDS_IT(1) -> rec.leased = 0 }
#endif
	:: atomic { rec.leased && MAYFAIL -> FAULT; rec.leased = 0 }
	od
}
#endif

/* Copies arrive at any time, or never. Nobody waits for their answers. */
proctype Network(byte n) {
	byte k;
end:
	do
	:: d_step { copy[n].kind != NONE && (copy[n].kind != ACQUIRE || rec.grant < LEASES) -> apply(copy[n]); told = NONE; clearCall(copy[n]) }
	:: d_step { copy[n].kind != NONE -> clearCall(copy[n]) }
	od
}

init {
	byte k, f;
	atomic {
		Create();
		k = 0; do :: k < REPLICAS -> run Serve(k); k++ :: else -> break od;
#ifdef LIVENESS
		run Clock();
#endif
		f = 0; do :: f < COPIES -> run Network(f); f++ :: else -> break od;
		k = 0; f = 0
	}
}

#ifdef LIVENESS
ltl ends { <> (births > 0 && (!rec.there || rec.phase == DONE)) }
#endif

package s3store

// A step is a part or a tail on its way to the store.
type step struct {
	n       int64 // bytes of the reader up to its end
	number  uint32
	part    int64 // part size after it
	tail    tail
	tailSum []byte
	merged  bool // the tail takes in those before it
	sum     []byte
	etag    string
	ok      bool
}

// apply makes of a cursor before the step the one after it.
func (st *step) apply(c *cursor) {
	c.Part = st.part
	if st.number > 0 {
		c.addPart(st.number)
		return
	}
	if st.merged {
		c.dropTails()
	}
	c.addTail(st.tail, st.tailSum)
}

// outcome returns the cursor after the last step before which all succeeded, and the bytes up to there. Tails that were
// made and used up within this call were never committed: they are dropped like the others.
func (a *appender) outcome() (cursor, int64) {
	c, n := a.base, int64(0)
	for _, st := range a.steps {
		if !st.ok {
			break
		}
		st.apply(&c)
		if st.number > 0 {
			c.addSum(st.sum, st.etag)
		}
		n = st.n
	}
	if len(c.runs) == 0 {
		c.Session = ""
	}
	if a.base.Session == "" && len(a.lease.Upload.Cursor) == 0 && len(c.runs) == 0 && c.Part == a.s.opt.PartSize {
		c.Part = fit(c.Part, n)
	}
	return c, n
}

// fit makes a part size a multiple of an upload's first body: clients send bodies of one size, and where they end with the parts,
// no body needs a part and a tail.
func fit(part, body int64) int64 {
	if body <= 0 || body >= part {
		return part
	}
	return (part + body - 1) / body * body
}

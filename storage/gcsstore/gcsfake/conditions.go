package gcsfake

import (
	"net/http"
	"net/url"
	"strconv"
)

// conditions are the preconditions of https://cloud.google.com/storage/docs/request-preconditions, in one call's terms.
type conditions struct {
	gen, genNot, meta, metaNot *int64
}

// parseConditions reads the four from a query, under names that end as the documentation says: "ifGenerationMatch", and
// "ifSourceGenerationMatch" with the prefix "ifSource".
func parseConditions(q url.Values, prefix string) (c conditions, err error) {
	for name, at := range map[string]**int64{
		"GenerationMatch": &c.gen, "GenerationNotMatch": &c.genNot,
		"MetagenerationMatch": &c.meta, "MetagenerationNotMatch": &c.metaNot,
	} {
		if !q.Has(prefix + name) {
			continue
		}
		n, err := strconv.ParseInt(q.Get(prefix+name), 10, 64)
		if err != nil || n < 0 {
			return c, fail(http.StatusBadRequest, "invalidParameter", "Invalid value for %s%s", prefix, name)
		}
		*at = &n
	}
	return c, nil
}

// check holds the conditions against the live object, or nil. A failed "match" is 412. A failed "not match" is 304 where
// something is only read, and 412 else.
func (c conditions) check(o *object, reads bool) error {
	gen, meta := int64(0), int64(0)
	if o != nil {
		gen, meta = o.res.Generation, o.res.Metageneration
	}
	not := http.StatusPreconditionFailed
	if reads {
		not = http.StatusNotModified
	}
	switch {
	case c.gen != nil && *c.gen != gen, c.meta != nil && *c.meta != meta:
		return unmet(http.StatusPreconditionFailed)
	case c.genNot != nil && (o == nil || *c.genNot == gen):
		// "If no live object exists, the precondition fails. Setting to 0 makes the operation succeed only if there is
		// a live version": https://cloud.google.com/storage/docs/json_api/v1/objects/get
		return unmet(not)
	case c.metaNot != nil && o != nil && *c.metaNot == meta:
		return unmet(not)
	}
	return nil
}

func unmet(status int) error {
	return fail(status, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
}

// ofGeneration reports whether a query names the live generation, or none.
func ofGeneration(q url.Values, o *object) bool {
	g := q.Get("generation")
	return g == "" || g == strconv.FormatInt(o.res.Generation, 10)
}

package tus

// Events is a set of event kinds.
type Events uint8

const (
	Created    Events = 1 << iota // a record exists
	Progress                      // the offset moved forward
	Finished                      // the object is in place
	Terminated                    // the upload and its bytes are gone
)

func (e Events) String() string {
	s := ""
	for i, name := range [...]string{"created", "progress", "finished", "terminated"} {
		if e&(1<<i) != 0 {
			if s != "" {
				s += ","
			}
			s += name
		}
	}
	return s
}

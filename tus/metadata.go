package tus

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ParseMetadata decodes an Upload-Metadata header (tus 1.0.0, "Upload-Metadata"): pairs separated by commas, a pair being
// a key, or a key, a space and the value in standard base64. Keys are unique, not empty, of printable ASCII without
// space and comma. An empty header is an empty map: a common Go client sends one.
func ParseMetadata(header string) (map[string]string, error) {
	m := map[string]string{}
	if strings.Trim(header, " \t") == "" {
		return m, nil
	}
	if strings.ContainsAny(header, "\r\n") { // base64 would pass over them
		return nil, errors.New("Upload-Metadata has a line break")
	}
	for pair := range strings.SplitSeq(header, ",") {
		key, encoded, _ := strings.Cut(strings.Trim(pair, " \t"), " ")
		if key == "" {
			return nil, errors.New("Upload-Metadata has an empty key")
		}
		for i := range len(key) {
			if key[i] <= ' ' || key[i] >= 0x7f {
				return nil, fmt.Errorf("Upload-Metadata key %q is not printable ASCII", key)
			}
		}
		if _, dup := m[key]; dup {
			return nil, fmt.Errorf("Upload-Metadata has the key %q twice", key)
		}
		value, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("Upload-Metadata value of %q is not base64", key)
		}
		m[key] = string(value)
	}
	return m, nil
}

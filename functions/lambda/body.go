package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
)

var (
	errBase64 = errors.New("invalid-body: the body is not the base64 that the gateway says it is")
	errText   = errors.New("changed-body: the gateway passes bodies on as text, which changes them: set the API's binary media types to */*")
)

// cutMark stands where a body was cut out. Where the decoder then finds something else, it found another member of that name.
const cutMark = "<cut>"

// cutBody takes the value of the member "body" out of an event and leaves cutMark. Nearly all of an event is its body, and
// base64 has nothing that JSON escapes: so its end is found at the speed of memory, and the JSON decoder, which looks at each
// byte three times, sees two kilobytes in place of six megabytes. What has escapes, or is no string, stays in the event.
func cutBody(event []byte) (rest, body []byte) {
	depth := 0
	for i := 0; i < len(event); i++ {
		switch event[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(event, i+1)
			if end < 0 {
				return event, nil
			}
			if depth == 1 && string(event[i+1:end]) == "body" {
				if from, to, ok := plainString(event, end+1); ok {
					return slices.Concat(event[:from], []byte(cutMark), event[to:]), event[from:to]
				}
			}
			i = end
		}
	}
	return event, nil
}

// stringEnd returns the place of the quote that ends the string which goes on at i, -1 if none does.
func stringEnd(p []byte, i int) int {
	for i < len(p) {
		n := bytes.IndexByte(p[i:], '"')
		if n < 0 {
			return -1
		}
		slashes := 0
		for j := i + n - 1; j >= i && p[j] == '\\'; j-- {
			slashes++
		}
		i += n
		if slashes%2 == 0 {
			return i
		}
		i++
	}
	return -1
}

// plainString finds the string without escapes that is the value of the member whose name ended before i.
func plainString(p []byte, i int) (from, to int, ok bool) {
	i += len(p[i:]) - len(bytes.TrimLeft(p[i:], " \t\r\n"))
	if i >= len(p) || p[i] != ':' {
		return 0, 0, false // a value that reads "body", not a name
	}
	i++
	i += len(p[i:]) - len(bytes.TrimLeft(p[i:], " \t\r\n"))
	if i >= len(p) || p[i] != '"' {
		return 0, 0, false
	}
	i++
	n := bytes.IndexByte(p[i:], '"')
	if n < 0 || bytes.IndexByte(p[i:i+n], '\\') >= 0 {
		return 0, 0, false
	}
	return i, i + n, true
}

// body returns the bytes that the client sent; counts says that they may be stored.
//
// A gateway hands bodies over as base64, but for those that it takes for text. A REST API without binary media types takes all
// for text, and puts U+FFFD in the place of what is not: such bytes must not be stored. ASCII comes through unharmed. A body of
// a type that is text at every gateway is never stored, and may be anything.
func (e *event) body(counts bool) ([]byte, error) {
	b := e.cut
	if b == nil {
		b = []byte(e.Body)
	}
	if e.IsBase64Encoded {
		out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
		n, err := base64.StdEncoding.Decode(out, b)
		if err != nil {
			return nil, errBase64
		}
		return out[:n], nil
	}
	for _, c := range b {
		if counts && c >= 0x80 {
			return nil, errText
		}
	}
	return b, nil
}

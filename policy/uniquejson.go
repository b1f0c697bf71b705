package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxDataDepth bounds how deep objects and lists of data may nest.
const maxDataDepth = 100

// uniqueJSON decodes one JSON value. Unlike encoding/json it refuses an object
// that has a key twice: which of the two a reader sees is a matter of taste.
func uniqueJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := uniqueValue(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the first value")
	}
	return value, nil
}

func uniqueValue(decoder *json.Decoder, depth int) (any, error) {
	if depth > maxDataDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxDataDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, notJSON(err)
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			value, err := uniqueValue(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := decoder.Token()
		return list, notJSON(err)
	case json.Delim('{'):
		object := map[string]any{}
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, notJSON(err)
			}
			name, _ := key.(string) // encoding/json takes nothing else for a key
			if _, twice := object[name]; twice {
				return nil, fmt.Errorf("it has the key %q twice in one object", name)
			}
			if object[name], err = uniqueValue(decoder, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := decoder.Token()
		return object, notJSON(err)
	}
	return token, nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it ends too early")
	}
	if err != nil {
		return errors.New(oneLine(err.Error()))
	}
	return nil
}

package functionconfig

import "fmt"

// Surface returns what the user calls a setting, by its field's name: the field, or the flag with its value.
func (c Config) Surface(name string) string {
	for _, s := range settings() {
		if s.name != name || s.flag == "" || c.ByField {
			continue
		}
		if s.bool {
			return "--" + s.flag
		}
		return "--" + s.flag + " " + s.value
	}
	return name
}

// Unmatched is a pattern of the settings that means no image that there is.
type Unmatched struct {
	// Field is the path of the entry.
	Field string
	// Image is its pattern.
	Image string
}

// Unmatched lists the artifacts and runtimes that match none of the images.
func (c Config) Unmatched(images []string) []Unmatched {
	var unmatched []Unmatched
	some := func(match func(string) bool) bool {
		for _, i := range images {
			if match(i) {
				return true
			}
		}
		return false
	}
	for i := 0; i < len(c.Artifacts); i++ {
		a, found := c.Artifacts[i], some(c.Artifacts[i].Match)
		field := fmt.Sprintf("artifacts[%d]", i)
		for ; i+1 < len(c.Artifacts) && c.Artifacts[i+1].variant; i++ {
			found = found || some(c.Artifacts[i+1].Match)
		}
		if !found {
			unmatched = append(unmatched, Unmatched{field, a.Image})
		}
	}
	for i, r := range c.Runtimes {
		if !some(r.Match) {
			unmatched = append(unmatched, Unmatched{fmt.Sprintf("runtimes[%d]", i), r.Image})
		}
	}
	return unmatched
}

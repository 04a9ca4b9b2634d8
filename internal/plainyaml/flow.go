package plainyaml

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// flowLine reads a flow collection that is all that is left of the current line, as a value in column col.
func (r *reader) flowLine(col int) (*yaml.Node, bool) {
	if !r.ascii {
		return nil, false
	}
	n, end, ok := r.flow(r.pos)
	return n, ok && r.spaces(end) == r.end && r.done(col)
}

// flow reads the flow collection that starts at p, and returns where it ends.
func (r *reader) flow(p int) (n *yaml.Node, end int, ok bool) {
	if r.depth >= maxDepth {
		return nil, 0, false
	}
	r.depth++
	defer func() { r.depth-- }()
	isMap, closing := r.s[p] == '{', byte(']')
	n = r.node(yaml.SequenceNode, yaml.NodeTagSeq, p)
	if isMap {
		n.Kind, n.Tag, closing = yaml.MappingNode, yaml.NodeTagMap, '}'
	}
	n.Style = yaml.FlowStyle
	open, keys := len(r.open), len(r.keys)
	var seen map[string]bool
	p = r.spaces(p + 1)
	if p < r.end && r.s[p] == closing {
		return n, p + 1, true
	}
	for {
		if isMap {
			key, colon, ok := r.flowScalar(p)
			if !ok || colon-p > maxKey || !strings.HasPrefix(r.s[colon:r.end], ": ") || !r.isNew(key.Value, keys, &seen) {
				return nil, 0, false
			}
			r.open = append(r.open, key)
			p = r.spaces(colon + 1)
		}
		value, behind, ok := r.flowValue(p)
		if !ok {
			return nil, 0, false
		}
		r.open = append(r.open, value)
		p = r.spaces(behind)
		if p < r.end && r.s[p] == closing {
			r.keys = r.keys[:keys]
			r.close(n, open)
			return n, p + 1, true
		}
		if p >= r.end || r.s[p] != ',' {
			return nil, 0, false
		}
		p = r.spaces(p + 1)
	}
}

func (r *reader) flowValue(p int) (n *yaml.Node, end int, ok bool) {
	if p < r.end && (r.s[p] == '[' || r.s[p] == '{') {
		return r.flow(p)
	}
	return r.flowScalar(p)
}

// flowScalar reads a scalar in a flow collection: a quoted one, or one of plain words.
func (r *reader) flowScalar(p int) (n *yaml.Node, end int, ok bool) {
	if p >= r.end {
		return nil, 0, false
	}
	if c := r.s[p]; c == '"' || c == '\'' {
		n = r.node(yaml.ScalarNode, yaml.NodeTagString, p)
		end, ok = r.quoted(n, p)
		return n, end, ok && end >= 0
	}
	if class[r.s[p]]&flowWord == 0 || !r.startsPlain(p) {
		return nil, 0, false
	}
	end = p
	for i := p; i < r.end; i++ {
		c := r.s[i]
		switch {
		case class[c]&flowWord != 0, c == ':' && i+1 < r.end && class[r.s[i+1]]&flowWord != 0:
			end = i + 1
			continue
		case c == ' ':
			continue
		}
		break
	}
	n, ok = r.plain(p, r.s[p:end])
	return n, end, ok
}

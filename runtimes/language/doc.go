// Package language is what languages are made of: what one says about itself ([Language]), what it sees of a container
// ([Process]) and what it answers with ([Plan]).
//
// A language never sees YAML, images or the network, and never removes or replaces a word: how its plan gets into a
// manifest, through shells, launchers and buildpacks, is solved once, for all of them. What is here knows no language
// by name.
package language

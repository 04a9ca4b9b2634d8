package nodejs

import "debuggable.dev/debuggable/runtimes/language"

// switches are those of Node's tools that start the application with an inspector. Sources: @nestjs/cli's start
// command, the tools' own help texts.
func switches() language.Switches {
	inspect := []string{"--inspect", "--inspect-brk", "--inspect-wait"}
	return language.Switches{Protocol: "devtools", Table: []language.Switch{
		{Programs: []string{"nest"}, Words: []string{"--debug", "-d"}, Port: true, ByDefault: port},
		{Programs: []string{
			"ts-node-dev", "tsnd", "ts-node", "tsx", "node-dev", "babel-node", "mocha", "_mocha", "gatsby", "next", "ng",
			"vitest", "meteor", "egg-bin", "electron", "remix",
		}, Words: inspect, ByDefault: port},
		{Programs: []string{"mocha", "egg-bin", "sails"}, Words: []string{"debug", "inspect"}, Where: language.First,
			ByDefault: port},
	}}
}

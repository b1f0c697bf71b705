package report

import (
	"fmt"
	"strings"
)

// github writes workflow commands, which GitHub shows where they belong in a
// pull request.
func (l Log) github(p *printer) {
	commands := map[Status]string{StatusFailure: "error", StatusWarning: "warning", StatusNote: "notice"}
	for _, g := range l.groups() {
		p.line("::group::Testing '%s' against %s in namespace '%s'", githubData(g.subject), count(len(g.findings), "rule"), githubData(g.name))
		for _, f := range g.findings {
			command, ok := commands[f.status()]
			if !ok {
				continue
			}
			var properties []string
			if file := l.fileOf(f); file != "" {
				properties = append(properties, "file="+githubProperty(file))
				if f.Row > 0 {
					properties = append(properties, fmt.Sprintf("line=%d", f.Row))
				}
				if f.Column > 0 {
					properties = append(properties, fmt.Sprintf("col=%d", f.Column))
				}
			}
			properties = append(properties, "title="+githubProperty(f.Rule))
			p.line("::%s %s::%s", command, strings.Join(properties, ","), githubData(f.issue()))
		}
		if n := len(g.of(StatusSkip)); n > 0 {
			p.line("skipped file=%s %d", g.subject, n)
		}
		if n := len(g.of(StatusPass)); n > 0 {
			p.line("success file=%s %d", g.subject, n)
		}
		p.line("::endgroup::")
	}
	p.line("%s", l.total())
	for _, note := range l.Notes {
		p.line("%s", note)
	}
}

// fileOf is the file of the user's that a finding is shown at.
func (l Log) fileOf(f Finding) string {
	if f.File != "" {
		return f.File
	}
	return l.Location
}

func githubData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// issue is what a finding says where its rule stands elsewhere.
func (f Finding) issue() string {
	message := f.Message
	if message == "" {
		message = f.Title
	}
	if f.Resource != "" {
		message = f.Resource + ": " + message
	}
	if f.Remedy != "" {
		message += "\nremedy: " + f.Remedy
	}
	return message
}

// azure writes logging commands, which Azure Pipelines lists as issues of a job.
func (l Log) azure(p *printer) {
	for _, g := range l.groups() {
		p.line("##[group]Testing '%s' against %s in namespace '%s'", azureData(g.subject), count(len(g.findings), "rule"), azureData(g.name))
		for _, f := range g.findings {
			kind := string(f.status())
			switch f.status() {
			case StatusFailure:
				kind = "error"
			case StatusWarning:
			default:
				p.line("%s %s", f.status(), azureData(f.text()))
				continue
			}
			properties := []string{"type=" + kind}
			if file := l.fileOf(f); file != "" {
				properties = append(properties, "sourcepath="+azureProperty(file))
				if f.Row > 0 {
					properties = append(properties, fmt.Sprintf("linenumber=%d", f.Row))
				}
				if f.Column > 0 {
					properties = append(properties, fmt.Sprintf("columnnumber=%d", f.Column))
				}
			}
			properties = append(properties, "code="+azureProperty(f.Rule))
			p.line("##vso[task.logissue %s]%s", strings.Join(properties, ";"), azureData(f.issue()))
		}
		p.line("##[endgroup]")
	}
	p.line("%s", l.total())
	for _, note := range l.Notes {
		p.line("%s", note)
	}
}

func azureData(s string) string {
	return strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func azureProperty(s string) string {
	return strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A", ";", "%3B", "]", "%5D").Replace(s)
}

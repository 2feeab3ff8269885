extension ReportDocument {
    /// The report as one HTML page that needs neither a network nor a script.
    ///
    /// The page forbids itself every request; a little script inside it reads values off plots and
    /// copies tables where scripts run. A series of any length takes a few thousand points at most.
    ///
    /// - Complexity: O(points + cells).
    public func html() -> String {
        var html = HTMLWriter()
        html.markup(
            """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
            style-src 'unsafe-inline'; script-src 'unsafe-inline'">
            <meta name="color-scheme" content="light dark">

            """)
        html.element("title", text: title)
        html.newline()
        html.element("style") { $0.markup(Stylesheet.text) }
        html.markup("\n</head>\n<body>\n")
        writeHeader(to: &html)
        for section in sections { section.write(to: &html) }
        if !footer.isEmpty { html.element("footer", text: footer) }
        html.newline()
        html.element("script") { $0.markup(Script.text) }
        html.markup("\n</body>\n</html>\n")
        return html.html
    }

    private func writeHeader(to html: inout HTMLWriter) {
        html.element("header") { html in
            html.element("h1", text: title)
            if !subtitle.isEmpty {
                html.element("p", ["class": "subtitle"], text: subtitle)
            }
        }
        html.newline()
        guard !facts.isEmpty else { return }
        html.element("dl", ["class": "facts"]) { html in
            for fact in facts {
                html.element("div") { html in
                    html.element("dt", text: fact.label)
                    html.element("dd", text: fact.value)
                    if !fact.note.isEmpty {
                        html.element("dd", ["class": "note"], text: fact.note)
                    }
                }
            }
        }
        html.newline()
    }
}

extension ReportDocument.Section {
    func write(to html: inout HTMLWriter) {
        html.element("section") { html in
            html.element("h2", text: heading)
            for paragraph in paragraphs { html.element("p", text: paragraph) }
            writePlots(to: &html)
            for table in tables { table.write(to: &html) }
            for detail in details {
                html.element("details") { html in
                    html.element("summary", text: detail.summary)
                    html.element("pre", text: detail.text)
                }
            }
        }
        html.newline()
    }

    private var paragraphs: [String] {
        prose.split(separator: "\n", omittingEmptySubsequences: false)
            .split(separator: "").map { $0.joined(separator: "\n") }
    }

    private func writePlots(to html: inout HTMLWriter) {
        guard !plots.isEmpty else { return }
        let squares = plots.allSatisfy { $0.aspect == .square }
        html.element("div", ["class": squares ? "plots squares" : "plots"]) { html in
            for plot in plots { plot.write(to: &html) }
        }
    }
}

extension Table {
    /// Writes the table in a box that scrolls sideways where the page is narrow.
    func write(to html: inout HTMLWriter) {
        html.element("div", ["class": "table"]) { html in
            html.element("table") { html in
                if !caption.isEmpty { html.element("caption", text: caption) }
                html.element("thead") { html in
                    html.element("tr") { html in
                        for column in columns { writeHead(column, to: &html) }
                    }
                }
                html.element("tbody") { html in
                    for row in rows { writeRow(row, to: &html) }
                }
            }
        }
        html.newline()
    }

    private func writeHead(_ column: Column, to html: inout HTMLWriter) {
        html.element("th", ["class": column.alignment.rawValue, "scope": "col"]) { html in
            html.text(column.name)
            if !column.unit.isEmpty { html.element("small", text: " (\(column.unit))") }
        }
    }

    private func writeRow(_ row: [String], to html: inout HTMLWriter) {
        html.element("tr") { html in
            for (index, column) in columns.enumerated() {
                html.element(
                    "td", ["class": column.alignment.rawValue],
                    text: index < row.count ? row[index] : "")
            }
        }
    }
}

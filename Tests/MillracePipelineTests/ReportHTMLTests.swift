import MillraceReport
import Testing

@Suite struct ReportHTMLTests {
    private static let hostile = "</script><img src=x onerror=\"alert('1')\">&\u{0}\u{7}"

    @Test func everyTextIsEscaped() {
        let text = Self.hostile
        let axis = Axis(text, unit: text)
        let plot = Plot(
            text, caption: text, xAxis: axis, yAxis: axis,
            series: [Series(text, [(0, 0), (1, 1)]), Series(text, [(0, 1)], style: .points)],
            markers: [.init(0.5, text)], bands: [.init(0...0.5, text)])
        let section = ReportDocument.Section(
            text, prose: text, plots: [plot],
            tables: [Table(caption: text, columns: [.number(text, unit: text)], rows: [[text]])],
            details: [.init(text, text: text)])
        let html = ReportDocument(
            title: text, subtitle: text, facts: [.init(text, text, note: text)],
            sections: [section], footer: text
        ).html()

        #expect(!html.contains("<img"))
        #expect(html.split(separator: "</script>").count == 2, "only the page's own script ends")
        #expect(!html.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        #expect(
            html.contains(
                "<h1>&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;"
                    + "&amp;\u{FFFD}\u{FFFD}</h1>"))
        #expect(unclosedElements(html) == [])
    }

    @Test func nothingIsFetched() {
        let html = ReportDocument(title: "a", sections: [.init("b")]).html()
        #expect(html.contains("default-src 'none'"))
        for attribute in ["src=", "href=", "@import", "url("] {
            #expect(!html.contains(attribute))
        }
    }

    @Test func anEmptyDocumentIsAPage() {
        let html = ReportDocument(title: "Nothing").html()
        #expect(html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
        #expect(html.hasSuffix("</html>\n"))
        #expect(html.contains("<title>Nothing</title>"))
        #expect(!html.contains("<dl"))
        #expect(unclosedElements(html) == [])
    }

    @Test func proseHasParagraphs() {
        let html = ReportDocument(
            title: "t", sections: [.init("h", prose: "one\ntwo\n\n\nthree")]
        ).html()
        #expect(html.contains("<p>one\ntwo</p><p>three</p>"))
    }

    @Test func tablesHoldWhatTheyAreGiven() {
        let table = Table(
            caption: "Stages", columns: [.init("stage"), .number("rows", unit: "1/s")],
            rows: [["learn", "1,000", "too much"], ["predict"]])
        let html = ReportDocument(title: "t", sections: [.init("h", tables: [table])]).html()
        #expect(html.contains("<caption>Stages</caption>"))
        #expect(
            html.contains(
                "<th class=\"trailing\" scope=\"col\">rows<small> (1/s)</small></th>"))
        #expect(
            html.contains(
                "<tr><td class=\"leading\">learn</td><td class=\"trailing\">1,000</td></tr>"))
        #expect(
            html.contains("<tr><td class=\"leading\">predict</td><td class=\"trailing\"></td></tr>")
        )
        #expect(!html.contains("too much"))
    }

    /// The elements that are left open, or closed without having been open.
    private func unclosedElements(_ html: String) -> [String] {
        var open: [String] = []
        let void = ["meta", "!DOCTYPE"]
        // The style sheet and the script are no markup.
        var rest = html[...]
        while let start = rest.firstIndex(of: "<"), let end = rest[start...].firstIndex(of: ">") {
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            let name = String(tag.prefix { $0 != " " && $0 != "/" })
            if tag.hasPrefix("/") {
                guard open.popLast() == String(tag.dropFirst()) else { return ["/\(tag)"] }
            } else if !tag.hasSuffix("/") && !void.contains(name) {
                open.append(name)
            }
            if name == "script" || name == "style",
                let close = rest.firstRange(of: "</\(name)>")
            {
                rest = rest[close.lowerBound...]
            }
        }
        return open
    }
}

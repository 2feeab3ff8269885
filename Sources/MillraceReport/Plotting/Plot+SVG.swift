extension Plot {
    /// How many colours the style sheet has; further series start again.
    private static let colours = 6
    /// The values that a reader can ask for by pointing are written for at most so many points.
    private static let maxReadableValues = 4000

    /// Writes the plot as a figure: title, legend, picture, caption.
    func write(to html: inout HTMLWriter) {
        let layout = PlotLayout(self)
        let shape = aspect == .square ? "plot square" : "plot"
        html.element("figure", ["class": shape]) { html in
            html.element("h3", text: title)
            writeLegend(to: &html)
            writePicture(layout, to: &html)
            if !caption.isEmpty { html.element("figcaption", text: caption) }
        }
        html.newline()
    }

    private func colour(_ index: Int) -> String {
        let coloured = series[..<index].count { $0.style != .reference }
        return series[index].style == .reference ? "ref" : "c\(coloured % Self.colours)"
    }

    private func writeLegend(to html: inout HTMLWriter) {
        let named = series.indices.filter { !series[$0].name.isEmpty }
        guard named.count > 1 else { return }
        html.element("ul", ["class": "legend"]) { html in
            for index in named {
                let kind = series[index].style == .points ? "dot" : "dash"
                html.element("li") { html in
                    html.element("i", ["class": "\(kind) \(colour(index))"], text: "")
                    html.text(series[index].name)
                }
            }
        }
    }

    private func writePicture(_ layout: PlotLayout, to html: inout HTMLWriter) {
        let size = "\(PlotPath.coordinate(layout.width)) \(PlotPath.coordinate(layout.height))"
        html.element("svg", ["viewBox": "0 0 \(size)", "role": "img", "aria-label": summary]) {
            html in
            writeBands(layout, to: &html)
            writeAxes(layout, to: &html)
            writeMarkers(layout, to: &html)
            // An inner picture cuts off what is outside the axes.
            html.element(
                "svg",
                [
                    "class": "area", "x": text(layout.left), "y": text(layout.top - 2),
                    "width": text(layout.right - layout.left),
                    "height": text(layout.bottom - layout.top + 4),
                    "viewBox": "\(text(layout.left)) \(text(layout.top - 2)) "
                        + "\(text(layout.right - layout.left)) "
                        + text(layout.bottom - layout.top + 4),
                ]
            ) { html in
                for index in series.indices.reversed() {
                    writeSeries(index, layout, to: &html)
                }
            }
            if series.allSatisfy(\.points.isEmpty) {
                html.element(
                    "text",
                    [
                        "class": "none", "x": text((layout.left + layout.right) / 2),
                        "y": text((layout.top + layout.bottom) / 2),
                    ], text: "no data")
            }
        }
    }

    private func writeSeries(
        _ index: Int, _ layout: PlotLayout, to html: inout HTMLWriter
    ) {
        let path = PlotPath(series[index], in: layout)
        guard !path.pieces.isEmpty else { return }
        let style = series[index].style.rawValue
        let readable = path.drawn.count <= Self.maxReadableValues
        html.empty(
            "path",
            [
                "class": "\(style) \(colour(index))", "data-name": series[index].name,
                "data-values": readable && series[index].style != .reference
                    ? values(path, layout) : "",
                "d": path.commands,
            ])
    }

    /// For the pointer: position, x and y of every point that is drawn.
    private func values(_ path: PlotPath, _ layout: PlotLayout) -> String {
        path.drawn.map { point in
            let x = layout.x.position(point.x).map(PlotPath.coordinate) ?? ""
            let y = layout.y.position(point.y).map(PlotPath.coordinate) ?? ""
            return "\(x) \(y) \(Self.value(point.x)) \(Self.value(point.y))"
        }.joined(separator: ";")
    }

    /// A value without blanks, with six digits.
    private static func value(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15
            ? NumberText.count(Int(value)) : NumberText.significant(value, 6)
    }

    // MARK: Axes

    private func writeAxes(_ layout: PlotLayout, to html: inout HTMLWriter) {
        for (value, label) in zip(layout.y.ticks.values, layout.y.ticks.labels) {
            guard let y = layout.y.position(value) else { continue }
            html.empty(
                "path",
                ["class": "grid", "d": "M\(text(layout.left)) \(text(y))H\(text(layout.right))"])
            html.element(
                "text",
                ["class": "tick end", "x": text(layout.left - 7), "y": text(y + 3.5)], text: label)
        }
        html.empty(
            "path",
            [
                "class": "axis",
                "d": "M\(text(layout.left)) \(text(layout.bottom))H\(text(layout.right))",
            ])
        writeXTicks(layout, to: &html)
        html.element(
            "text", ["class": "label", "x": "2", "y": "11"], text: "↑ " + Self.title(of: yAxis))
        html.element(
            "text",
            ["class": "label end", "x": text(layout.right), "y": text(layout.height - 3)],
            text: Self.title(of: xAxis) + " →")
    }

    private func writeXTicks(_ layout: PlotLayout, to html: inout HTMLWriter) {
        var free = -Double.infinity
        for (value, label) in zip(layout.x.ticks.values, layout.x.ticks.labels) {
            guard let x = layout.x.position(value) else { continue }
            html.empty("path", ["class": "axis", "d": "M\(text(x)) \(text(layout.bottom))v4"])
            let half = Double(label.count) * PlotLayout.digitWidth / 2
            let middle = min(max(x, half), layout.width - half)
            guard middle - half > free else { continue }
            free = middle + half + 6
            html.element(
                "text",
                ["class": "tick middle", "x": text(middle), "y": text(layout.bottom + 16)],
                text: label)
        }
    }

    private static func title(of axis: Axis) -> String {
        axis.unit.isEmpty ? axis.label : "\(axis.label) (\(axis.unit))"
    }

    // MARK: Annotations

    private func writeBands(_ layout: PlotLayout, to html: inout HTMLWriter) {
        for band in bands {
            guard let low = layout.x.position(band.range.lowerBound),
                let high = layout.x.position(band.range.upperBound)
            else { continue }
            let start = max(low, layout.left)
            let end = min(high, layout.right)
            guard end > start else { continue }
            html.empty(
                "rect",
                [
                    "class": "band", "x": text(start), "y": text(layout.top),
                    "width": text(end - start), "height": text(layout.bottom - layout.top),
                ])
            html.element(
                "text", ["class": "note", "x": text(start + 3), "y": text(layout.top - 4)],
                text: band.label)
        }
    }

    private func writeMarkers(_ layout: PlotLayout, to html: inout HTMLWriter) {
        var free = -Double.infinity
        for marker in markers.sorted(by: { $0.x < $1.x }) where layout.x.contains(marker.x) {
            guard let x = layout.x.position(marker.x) else { continue }
            html.empty(
                "path",
                [
                    "class": "marker",
                    "d": "M\(text(x)) \(text(layout.top))V\(text(layout.bottom))",
                ])
            let half = Double(marker.label.count) * PlotLayout.digitWidth / 2
            let middle = min(max(x, half), layout.width - half)
            guard middle - half > free else { continue }
            free = middle + half + 4
            html.element(
                "text", ["class": "note middle", "x": text(middle), "y": text(layout.top - 4)],
                text: marker.label)
        }
    }

    private func text(_ position: Double) -> String { PlotPath.coordinate(position) }

    /// What a reader who cannot see the picture is told.
    private var summary: String {
        let names = series.map(\.name).filter { !$0.isEmpty }.joined(separator: ", ")
        return "\(title): \(Self.title(of: yAxis)) over \(Self.title(of: xAxis))"
            + (names.isEmpty ? "" : "; \(names)")
    }
}

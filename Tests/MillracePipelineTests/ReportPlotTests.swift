import MillraceSystem
import Testing

@testable import MillraceReport

@Suite struct ReportPlotTests {
    // MARK: Ticks

    @Test func ticksAreRound() {
        #expect(
            Ticks.linear(0...1, target: 5).labels == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
        #expect(
            Ticks.linear(0...336_776, target: 6).labels
                == ["0", "50,000", "100,000", "150,000", "200,000", "250,000", "300,000"])
        #expect(
            Ticks.linear(0...2.5e6, target: 5).labels
                == ["0", "0.5 M", "1.0 M", "1.5 M", "2.0 M", "2.5 M"])
        #expect(
            Ticks.linear(-0.3...0.3, target: 5).labels
                == ["-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2", "0.3"])
        #expect(
            Ticks.logarithmic(1...1e5, target: 5).labels
                == ["1", "10", "100", "1,000", "10,000", "100,000"])
        #expect(
            Ticks.logarithmic(0.001...0.02, target: 5).labels
                == ["0.001", "0.002", "0.005", "0.01", "0.02"])
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func ticksLieInsideAnyRange(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<5000 {
            let bits = Double(bitPattern: random.next())
            let start = bits.isFinite ? bits : 1
            let length = start.magnitude * random.unit() * 10 + random.unit()
            guard (start + length).isFinite, start + length > start else { continue }
            let range = start...(start + length)
            for axis in [Axis("a"), Axis("a", scale: .log), Axis("a", includesZero: true)] {
                let mapping = AxisMapping(
                    axis, values: axis.scale == .log && start <= 0 ? nil : range, start: 0,
                    end: 100, target: 5, rounded: random.next().isMultiple(of: 2))
                #expect(mapping.ticks.values.count <= 60, "seed \(seed), \(range)")
                #expect(mapping.ticks.labels.count == mapping.ticks.values.count)
                for value in mapping.ticks.values {
                    guard let position = mapping.position(value) else { continue }
                    #expect(position > -1 && position < 101, "seed \(seed), \(range), \(value)")
                }
            }
        }
    }

    @Test func axesKeepTheirRange() {
        let axis = Axis("rate", range: 0...1)
        let mapping = AxisMapping(
            axis, values: 0.4...0.5, start: 10, end: 110, target: 5, rounded: true)
        #expect(mapping.position(0) == 10)
        #expect(mapping.position(1) == 110)
        #expect(mapping.position(.nan) == nil)
        let log = AxisMapping(
            Axis("lag", scale: .log), values: 1...100, start: 0, end: 2, target: 5, rounded: false)
        #expect(log.position(10) == 1)
        #expect(log.position(0) == nil)
    }

    @Test func constantSeriesHaveRoom() {
        for value in [0, 0.5, -3, 1e12, 1e-300] {
            let mapping = AxisMapping(
                Axis("a"), values: value...value, start: 0, end: 100, target: 5, rounded: true)
            let position = mapping.position(value) ?? -1
            #expect(position > 0 && position < 100, "\(value)")
        }
    }

    @Test func extremeValuesAreDrawnSomehow() {
        let values = [
            0, .leastNonzeroMagnitude, 1e-300, 1, 1 + .ulpOfOne, 1e300,
            Double.greatestFiniteMagnitude,
            -.greatestFiniteMagnitude, -.leastNormalMagnitude, .nan, .infinity,
        ]
        for first in values {
            for second in values {
                for scale in Axis.Scale.allCases {
                    let axis = Axis("a", scale: scale, includesZero: scale == .linear)
                    let fixed =
                        first <= second ? Axis("b", scale: scale, range: first...second) : axis
                    for yAxis in [axis, fixed] {
                        let plot = Plot(
                            "t", xAxis: axis, yAxis: yAxis,
                            series: [Series("s", [(first, first), (second, second)])],
                            markers: [.init(first, "m")])
                        let html = ReportDocument(
                            title: "t", sections: [.init("h", plots: [plot])]
                        ).html()
                        #expect(!html.contains("nan "), "\(first), \(second)")
                    }
                }
            }
        }
    }

    // MARK: Downsampling

    @Test(arguments: [UInt64(1), 2, 3])
    func linesKeepTheExtremesOfEveryColumn(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let samples = (0..<20_000).map { index in
            Downsampling.Sample(x: Double(index) / 200, y: random.unit(), index: index)
        }
        let kept = Downsampling.line(samples, columnWidth: 1)
        #expect(kept.count <= 4 * 100, "seed \(seed)")
        #expect(kept.map(\.index) == kept.map(\.index).sorted())
        for column in 0..<100 {
            let before = samples.filter { Int($0.x) == column }
            let after = kept.filter { Int($0.x) == column }
            #expect(before.map(\.y).min() == after.map(\.y).min(), "seed \(seed)")
            #expect(before.map(\.y).max() == after.map(\.y).max(), "seed \(seed)")
            #expect(before.first == after.first)
            #expect(before.last == after.last)
        }
    }

    @Test func fewPointsAreAllKept() {
        let samples = (0..<300).map {
            Downsampling.Sample(x: Double($0) * 1.5, y: Double($0 % 7), index: $0)
        }
        #expect(Downsampling.line(samples, columnWidth: 1) == samples)
        #expect(Downsampling.points(samples, cell: 1) == samples)
    }

    @Test func aMillionPointsStayASmallFile() {
        var random = SplitMix64(seed: 7)
        let points = (0..<1_000_000).map { Series.Point(Double($0), random.unit()) }
        for style in [Series.Style.line, .step, .points] {
            let html = page(Series("s", points, style: style))
            #expect(html.utf8.count < 900_000, "\(style): \(html.utf8.count) bytes")
        }
    }

    // MARK: Pictures

    @Test func whatIsNotANumberLeavesAGap() {
        let series = Series("s", [(0, 1), (1, 2), (2, .nan), (3, 1), (4, .infinity), (5, 2)])
        let layout = PlotLayout(plot(series))
        let path = PlotPath(series, in: layout)
        #expect(path.pieces.map { $0.map(\.index) } == [[0, 1], [3], [5]])
        #expect(path.commands.count { $0 == "M" } == 3)
        #expect(path.commands.count { $0 == "h" } == 2, "lonely points are dots")
    }

    @Test func picturesAreExact() {
        let axis = Axis("x", range: 0...10)
        let plot = Plot(
            "t", xAxis: axis, yAxis: Axis("y", range: 0...10),
            series: [Series("s", [(0, 0), (5, 10), (10, 5)], style: .step)], aspect: .square)
        let layout = PlotLayout(plot)
        #expect(layout.right - layout.left == layout.bottom - layout.top)
        let path = PlotPath(plot.series[0], in: layout)
        let text = PlotPath.coordinate
        #expect(
            path.commands == "M\(text(layout.left)) \(text(layout.bottom))"
                + "H\(text((layout.left + layout.right) / 2))V\(text(layout.top))"
                + "H\(text(layout.right))V\(text((layout.top + layout.bottom) / 2))")
        #expect(PlotPath.coordinate(-0.04) == "0")
        #expect(PlotPath.coordinate(-1.25) == "-1.3")
    }

    @Test func legendsNameSeveralSeriesOnly() {
        let one = page(Series("only", [(0, 0), (1, 1)]))
        #expect(!one.contains("class=\"legend\""))
        let two = ReportDocument(
            title: "t",
            sections: [
                .init(
                    "h",
                    plots: [
                        Plot(
                            "p", xAxis: Axis("x"), yAxis: Axis("y"),
                            series: [
                                Series("chance", [(0, 0), (1, 1)], style: .reference),
                                Series("model", [(0, 0), (1, 1)]),
                            ])
                    ])
            ]
        ).html()
        #expect(two.contains("<i class=\"dash ref\"></i>chance"))
        #expect(two.contains("<i class=\"dash c0\"></i>model"))
    }

    @Test func plotsWithoutDataSaySo() {
        #expect(page(Series("s", [Series.Point]())).contains(">no data</text>"))
    }

    private func plot(_ series: Series) -> Plot {
        Plot("t", xAxis: Axis("x"), yAxis: Axis("y"), series: [series])
    }

    private func page(_ series: Series) -> String {
        ReportDocument(title: "t", sections: [.init("h", plots: [plot(series)])]).html()
    }
}

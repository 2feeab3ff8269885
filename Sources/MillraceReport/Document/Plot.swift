/// A plot of series over two axes.
public struct Plot: Sendable, Equatable {
    /// The shape of the plotting area.
    public enum Aspect: Sendable, Equatable {
        /// Wider than high, for what happens over time.
        case wide
        /// As wide as high, where both axes have the same unit: ROC and reliability curves.
        case square
    }

    /// A vertical line where something happened, such as the publication of a version.
    public struct Marker: Sendable, Equatable {
        /// Where it stands.
        public var x: Double
        /// What happened; left out in the plot where it would cover its neighbour's.
        public var label: String

        /// Creates a marker.
        public init(_ x: Double, _ label: String) {
            self.x = x
            self.label = label
        }
    }

    /// A shaded range, such as the months that were scored.
    public struct Band: Sendable, Equatable {
        /// The values that it covers.
        public var range: ClosedRange<Double>
        /// What it means.
        public var label: String

        /// Creates a band.
        public init(_ range: ClosedRange<Double>, _ label: String) {
            self.range = range
            self.label = label
        }
    }

    /// What the plot shows.
    public var title: String
    /// A sentence on how to read it; empty is none.
    public var caption: String
    /// The horizontal axis.
    public var xAxis: Axis
    /// The vertical axis.
    public var yAxis: Axis
    /// The series; the first is drawn last, on top.
    public var series: [Series]
    /// Vertical lines.
    public var markers: [Marker]
    /// Shaded ranges of x.
    public var bands: [Band]
    /// The shape of the plotting area.
    public var aspect: Aspect

    /// Creates a plot.
    public init(
        _ title: String, caption: String = "", xAxis: Axis, yAxis: Axis, series: [Series],
        markers: [Marker] = [], bands: [Band] = [], aspect: Aspect = .wide
    ) {
        self.title = title
        self.caption = caption
        self.xAxis = xAxis
        self.yAxis = yAxis
        self.series = series
        self.markers = markers
        self.bands = bands
        self.aspect = aspect
    }
}

/// An axis of a plot.
public struct Axis: Sendable, Equatable {
    /// How values become positions.
    public enum Scale: String, Sendable, CaseIterable {
        /// In proportion.
        case linear
        /// By the logarithm; values of 0 and below cannot be shown and are gaps.
        case log
    }

    /// What the axis shows.
    public var label: String
    /// The unit of its values; empty is none.
    public var unit: String
    /// How values become positions.
    public var scale: Scale
    /// The values at its ends; nil takes those of the data.
    public var range: ClosedRange<Double>?
    /// Whether 0 is shown even if no value is near: for amounts, which are read by their height.
    public var includesZero: Bool

    /// Creates an axis.
    public init(
        _ label: String, unit: String = "", scale: Scale = .linear,
        range: ClosedRange<Double>? = nil, includesZero: Bool = false
    ) {
        self.label = label
        self.unit = unit
        self.scale = scale
        self.range = range
        self.includesZero = includesZero
    }
}

/// A sequence of points with a name.
public struct Series: Sendable, Equatable {
    /// How the points are drawn.
    public enum Style: String, Sendable, CaseIterable {
        /// Joined by straight lines.
        case line
        /// Each value holds until the next point.
        case step
        /// Dots.
        case points
        /// A thin dashed line that the others are compared with; takes no colour of its own.
        case reference
    }

    /// One point; a coordinate that is not a number leaves a gap.
    public struct Point: Sendable, Equatable {
        /// The horizontal value.
        public var x: Double
        /// The vertical value.
        public var y: Double

        /// Creates a point.
        public init(_ x: Double, _ y: Double) {
            self.x = x
            self.y = y
        }
    }

    /// The name in the legend; empty leaves the series out of it.
    public var name: String
    /// The points, in the order in which they are joined.
    public var points: [Point]
    /// How they are drawn.
    public var style: Style

    /// Creates a series.
    public init(_ name: String, _ points: [Point], style: Style = .line) {
        self.name = name
        self.points = points
        self.style = style
    }

    /// Creates a series from pairs.
    public init(_ name: String, _ points: [(Double, Double)], style: Style = .line) {
        self.init(name, points.map { Point($0.0, $0.1) }, style: style)
    }
}

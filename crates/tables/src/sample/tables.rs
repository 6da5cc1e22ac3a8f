//! The samples themselves: columns, description and how a row comes about.

use super::{
    SampleDescription, SampleTable,
    generate::{Cell, ColumnSpec, Kind, Random, Rows},
};

/// 2025-01-01T00:00:00Z in seconds, where all samples begin.
const START: i64 = 1_735_689_600;
/// The same in days.
const START_DAY: i64 = START / 86_400;
const HOUR: i64 = 3_600;
/// China Standard Time, by which the daily cycles run.
const CST: i64 = 8 * HOUR;

pub(super) fn describe(kind: SampleTable) -> SampleDescription {
    let about = |id, title, description, keywords, zone| SampleDescription { id, title, description, keywords, zone };
    match kind {
        SampleTable::AirQuality => about(
            "air-quality-hourly",
            "Hourly air quality of Haidian stations",
            "Particulates, ozone, nitrogen dioxide and weather of twelve monitoring stations around Zhongguancun, hour by hour.",
            &["air quality", "PM2.5", "environment", "Beijing"],
            "Zhongguancun",
        ),
        SampleTable::MachineTelemetry => about(
            "machine-telemetry",
            "Telemetry of machining centres",
            "Spindle load, vibration, temperature and alarms of forty CNC machining centres, one reading per machine and minute.",
            &["manufacturing", "CNC", "predictive maintenance", "telemetry"],
            "Suzhou Industrial Park",
        ),
        SampleTable::ChargingSessions => about(
            "charging-sessions",
            "Charging sessions of electric vehicles",
            "Energy, duration, peak power and price of each session at public charging stations.",
            &["electric vehicles", "charging", "energy", "mobility"],
            "Hefei High-tech Zone",
        ),
        SampleTable::WaferInspection => about(
            "wafer-inspection",
            "Inspection results of 300 mm wafers",
            "Defect counts, film thickness, overlay error and yield of each wafer after lithography.",
            &["semiconductor", "wafer", "metrology", "yield"],
            "Zhangjiang",
        ),
        SampleTable::BatteryCycling => about(
            "battery-cycling",
            "Cycling tests of lithium cells",
            "Capacity, energy efficiency, internal resistance and temperature of each cycle of cells under test.",
            &["battery", "lithium", "state of health", "test bench"],
            "Shenzhen",
        ),
        SampleTable::CellCulture => about(
            "cell-culture-assays",
            "Growth assays of cell cultures",
            "Viability, density, glucose, lactate and acidity of bioreactor runs, sampled every six hours.",
            &["biotechnology", "bioreactor", "cell culture", "assay"],
            "Guangzhou Huangpu",
        ),
        SampleTable::MetroRidership => about(
            "metro-ridership",
            "Hourly riders of metro stations",
            "People entering and leaving each metro station by the hour, with weather and holidays.",
            &["metro", "ridership", "transport", "city"],
            "Hangzhou",
        ),
        SampleTable::OpticalLinks => about(
            "optical-link-readings",
            "Readings of optical links",
            "Received power, signal-to-noise ratio, bit error rate and temperature of long-haul optical links.",
            &["optics", "telecommunication", "fibre", "network"],
            "Wuhan East Lake Optics Valley",
        ),
        SampleTable::ColdChain => about(
            "cold-chain-deliveries",
            "Cold-chain deliveries",
            "Route, temperature extremes, delay and outcome of each delivery of refrigerated goods.",
            &["logistics", "cold chain", "food", "temperature"],
            "Chengdu",
        ),
        SampleTable::WindTurbines => about(
            "wind-turbine-scada",
            "Ten-minute readings of wind turbines",
            "Wind speed, power, rotor speed, pitch and gearbox temperature of thirty turbines.",
            &["wind", "energy", "SCADA", "turbine"],
            "Xi'an",
        ),
        SampleTable::TechnologyTransfer => about(
            "technology-transfer",
            "Patents offered for licence",
            "Field, readiness level, asking price and terms of patents that universities and institutes offer.",
            &["patent", "licence", "technology transfer", "research"],
            "Nanjing",
        ),
    }
}

pub(super) fn columns(kind: SampleTable) -> Vec<ColumnSpec> {
    use Kind::{Day, Moment, Number, Text, Truth, Whole};
    match kind {
        SampleTable::AirQuality => vec![
            ("station", Text),
            ("measured_at", Moment),
            ("pm25_ug_m3", Number),
            ("pm10_ug_m3", Number),
            ("no2_ug_m3", Number),
            ("o3_ug_m3", Number),
            ("temperature_c", Number),
            ("humidity_pct", Number),
            ("wind_m_s", Number),
        ],
        SampleTable::MachineTelemetry => vec![
            ("machine", Text),
            ("recorded_at", Moment),
            ("program", Text),
            ("spindle_rpm", Whole),
            ("spindle_load_pct", Number),
            ("vibration_mm_s", Number),
            ("temperature_c", Number),
            ("coolant_l_min", Number),
            ("alarm", Text),
        ],
        SampleTable::ChargingSessions => vec![
            ("session", Text),
            ("station", Text),
            ("connector", Text),
            ("started_at", Moment),
            ("duration_min", Number),
            ("energy_kwh", Number),
            ("peak_power_kw", Number),
            ("price_cny", Number),
            ("soc_start_pct", Whole),
            ("soc_end_pct", Whole),
        ],
        SampleTable::WaferInspection => vec![
            ("lot", Text),
            ("wafer", Whole),
            ("inspected_at", Moment),
            ("tool", Text),
            ("defects", Whole),
            ("thickness_nm", Number),
            ("overlay_x_nm", Number),
            ("overlay_y_nm", Number),
            ("yield_pct", Number),
            ("rework", Truth),
        ],
        SampleTable::BatteryCycling => vec![
            ("cell", Text),
            ("chemistry", Text),
            ("cycle", Whole),
            ("finished_at", Moment),
            ("charge_ah", Number),
            ("discharge_ah", Number),
            ("energy_efficiency_pct", Number),
            ("resistance_mohm", Number),
            ("temperature_max_c", Number),
        ],
        SampleTable::CellCulture => vec![
            ("run", Text),
            ("line", Text),
            ("sampled_at", Moment),
            ("hours", Whole),
            ("viability_pct", Number),
            ("density_million_per_ml", Number),
            ("glucose_g_l", Number),
            ("lactate_g_l", Number),
            ("ph", Number),
        ],
        SampleTable::MetroRidership => vec![
            ("station", Text),
            ("line", Whole),
            ("hour", Moment),
            ("entries", Whole),
            ("exits", Whole),
            ("holiday", Truth),
            ("rain_mm", Number),
        ],
        SampleTable::OpticalLinks => vec![
            ("link", Text),
            ("measured_at", Moment),
            ("length_km", Number),
            ("rx_power_dbm", Number),
            ("osnr_db", Number),
            ("pre_fec_ber", Number),
            ("temperature_c", Number),
            ("degraded", Truth),
        ],
        SampleTable::ColdChain => vec![
            ("delivery", Text),
            ("goods", Text),
            ("origin", Text),
            ("destination", Text),
            ("departed_at", Moment),
            ("distance_km", Number),
            ("delay_min", Number),
            ("temperature_min_c", Number),
            ("temperature_max_c", Number),
            ("accepted", Truth),
        ],
        SampleTable::WindTurbines => vec![
            ("turbine", Text),
            ("interval_start", Moment),
            ("wind_m_s", Number),
            ("power_kw", Number),
            ("rotor_rpm", Number),
            ("pitch_deg", Number),
            ("gearbox_c", Number),
            ("nacelle_deg", Number),
            ("status", Text),
        ],
        SampleTable::TechnologyTransfer => vec![
            ("patent", Text),
            ("title", Text),
            ("field", Text),
            ("holder", Text),
            ("filed_on", Day),
            ("readiness_level", Whole),
            ("citations", Whole),
            ("asking_price_cny", Whole),
            ("exclusive", Truth),
        ],
    }
}

const STATIONS: [&str; 12] = [
    "Zhongguancun",
    "Wudaokou",
    "Shangdi",
    "Xierqi",
    "Yongfeng",
    "Suzhoujie",
    "Haidianhuangzhuang",
    "Zhichunlu",
    "Xueyuanlu",
    "Qinghe",
    "Wanliu",
    "Beianhe",
];
const METRO: [&str; 14] = [
    "Longxiangqiao",
    "Fengqi Road",
    "Wulin Square",
    "Qianjiang Road",
    "Jiangling Road",
    "Binhe Road",
    "Xixing",
    "East Railway Station",
    "Civic Centre",
    "Future Technology City",
    "Liangmu Road",
    "Wenze Road",
    "Xianghu",
    "Chuangjing Road",
];
const CITIES: [&str; 10] = ["Chengdu", "Chongqing", "Mianyang", "Xi'an", "Guiyang", "Kunming", "Leshan", "Deyang", "Yibin", "Lhasa"];

/// Between -1 and 1 over a day, highest at `peak` o'clock in China.
#[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
fn daily(seconds: i64, peak: f64) -> f64 {
    let hour = (seconds + CST).rem_euclid(86_400) as f64 / 3_600.0;
    ((hour - peak) / 24.0 * std::f64::consts::TAU).cos()
}

/// Between -1 and 1 over a year, highest in July.
#[expect(clippy::cast_precision_loss, reason = "days of a few years")]
fn yearly(seconds: i64) -> f64 {
    ((seconds - START) as f64 / 86_400.0 / 365.25 * std::f64::consts::TAU - 3.4).cos()
}

/// Which of `n` things, and which step in time, a row is about: things change fastest.
fn thing_and_step(row: u64, n: u64) -> (u64, i64) {
    (row % n, i64::try_from(row / n).unwrap_or(i64::MAX / 1_000_000))
}

fn nth<'a>(items: &[&'a str], n: u64) -> &'a str {
    items[usize::try_from(n).unwrap_or_default() % items.len()]
}

#[expect(clippy::cast_possible_truncation, reason = "small plausible values")]
fn whole(v: f64) -> i64 {
    v.round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "small plausible values")]
fn float(v: i64) -> f64 {
    v as f64
}

fn num(v: f64, decimals: i32) -> Cell {
    Cell::Number(Some(v), decimals)
}

fn maybe(r: &mut Random, missing: f64, v: f64, decimals: i32) -> Cell {
    Cell::Number(r.sometimes_missing(missing, v), decimals)
}

/// A plausible `u64` as `i64`.
fn count(v: u64) -> i64 {
    i64::try_from(v).unwrap_or(i64::MAX)
}

pub(super) fn fill(kind: SampleTable, row: u64, r: &mut Random, rows: &mut Rows) {
    match kind {
        SampleTable::AirQuality => air_quality(row, r, rows),
        SampleTable::MachineTelemetry => machine_telemetry(row, r, rows),
        SampleTable::ChargingSessions => charging_sessions(row, r, rows),
        SampleTable::WaferInspection => wafer_inspection(row, r, rows),
        SampleTable::BatteryCycling => battery_cycling(row, r, rows),
        SampleTable::CellCulture => cell_culture(row, r, rows),
        SampleTable::MetroRidership => metro_ridership(row, r, rows),
        SampleTable::OpticalLinks => optical_links(row, r, rows),
        SampleTable::ColdChain => cold_chain(row, r, rows),
        SampleTable::WindTurbines => wind_turbines(row, r, rows),
        SampleTable::TechnologyTransfer => technology_transfer(row, r, rows),
    }
}

fn air_quality(row: u64, r: &mut Random, rows: &mut Rows) {
    let (station, step) = thing_and_step(row, STATIONS.len() as u64);
    let at = START + step * HOUR;
    let traffic = 1.0 + 0.3 * daily(at, 8.0) + 0.2 * daily(at, 19.0);
    let pm25 = (r.normal(46.0, 18.0) * traffic - 14.0 * yearly(at)).max(2.0);
    let temperature = r.normal(12.5, 1.6) + 15.0 * yearly(at) + 5.0 * daily(at, 15.0);
    rows.push([
        nth(&STATIONS, station).into(),
        Cell::Moment(at),
        maybe(r, 0.015, pm25, 0),
        {
            let v = pm25 * r.between(1.3, 1.9);
            maybe(r, 0.02, v, 0)
        },
        {
            let v = (r.normal(38.0, 9.0) * traffic).max(3.0);
            maybe(r, 0.01, v, 0)
        },
        {
            let v = (r.normal(62.0, 15.0) + 38.0 * daily(at, 15.0) + 20.0 * yearly(at)).max(2.0);
            maybe(r, 0.01, v, 0)
        },
        num(temperature, 1),
        num((r.normal(52.0, 9.0) - 15.0 * daily(at, 15.0) + 12.0 * yearly(at)).clamp(8.0, 100.0), 0),
        num(r.normal(2.2, 0.9).abs(), 1),
    ]);
}

fn machine_telemetry(row: u64, r: &mut Random, rows: &mut Rows) {
    let (machine, step) = thing_and_step(row, 40);
    let at = START + step * 60;
    let running = r.chance(0.55 + 0.3 * daily(at, 13.0));
    let load = if running { r.normal(58.0, 11.0).clamp(8.0, 100.0) } else { r.between(0.0, 3.0) };
    let rpm = if running { 100 * whole(r.normal(82.0, 14.0).max(10.0)) } else { 0 };
    let vibration = 0.4 + load / 40.0 + r.normal(0.0, 0.12).abs();
    let alarm = if running && r.chance(0.004) {
        Some(r.pick(&["spindle overload", "coolant low", "tool worn", "door open"]).to_owned())
    } else {
        None
    };
    rows.push([
        format!("CNC-{:03}", machine + 1).into(),
        Cell::Moment(at),
        Cell::Text(if running { Some(format!("P{:04}", 1000 + r.below(24) * 7)) } else { Some("idle".into()) }),
        rpm.into(),
        num(load, 1),
        maybe(r, 0.003, vibration, 2),
        num(24.0 + load * 0.35 + r.normal(0.0, 0.8), 1),
        {
            let v = if running { r.normal(18.0, 1.2) } else { 0.0 };
            maybe(r, 0.002, v, 1)
        },
        Cell::Text(Some(alarm.unwrap_or_else(|| "none".into()))),
    ]);
}

fn charging_sessions(row: u64, r: &mut Random, rows: &mut Rows) {
    let fast = r.chance(0.7);
    let at = START + count(row) * 95 + whole(r.between(0.0, 90.0));
    let start = r.normal(32.0, 13.0).clamp(3.0, 80.0);
    let end = (start + r.normal(48.0, 15.0).abs()).clamp(start + 2.0, 100.0);
    let energy = (end - start) / 100.0 * r.between(45.0, 85.0);
    let peak = if fast { r.normal(92.0, 22.0).clamp(30.0, 240.0) } else { r.between(3.3, 7.0) };
    let price = energy * (1.15 + 0.45 * daily(at, 18.0).max(0.0));
    rows.push([
        format!("S{row:08}").into(),
        format!("HF-{:03}", r.below(160) + 1).into(),
        if fast { "GB/T DC" } else { "GB/T AC" }.into(),
        Cell::Moment(at),
        num(energy / (peak * 0.62) * 60.0 + r.between(1.0, 9.0), 1),
        num(energy, 2),
        maybe(r, 0.01, peak, 1),
        num(price, 2),
        Cell::Whole(r.sometimes_missing(0.06, whole(start))),
        Cell::Whole(r.sometimes_missing(0.06, whole(end))),
    ]);
}

fn wafer_inspection(row: u64, r: &mut Random, rows: &mut Rows) {
    let (wafer, lot) = thing_and_step(row, 25);
    // A few lots go badly as a whole.
    let bad = lot % 17 == 5;
    let defects = whole(r.normal(if bad { 86.0 } else { 21.0 }, 8.0).max(0.0));
    rows.push([
        format!("L{:06}", 240_000 + lot).into(),
        count(wafer + 1).into(),
        Cell::Moment(START + lot * 2_400 + count(wafer) * 85),
        format!("KT-{}", 1 + lot % 4).into(),
        defects.into(),
        num(r.normal(90.0, 0.45) + if bad { 0.8 } else { 0.0 }, 2),
        maybe(r, 0.01, r_overlay(lot, 1), 2),
        maybe(r, 0.01, r_overlay(lot, 2), 2),
        num((97.5 - float(defects) * 0.21 + r.normal(0.0, 0.5)).clamp(0.0, 100.0), 2),
        Cell::Truth(Some(bad && r.chance(0.4))),
    ]);
}

/// Overlay drifts slowly from lot to lot.
fn r_overlay(lot: i64, axis: i64) -> f64 {
    (float(lot) * 0.13 * float(axis)).sin() * 1.4 + (float(lot) * 1.7).cos() * 0.3
}

fn battery_cycling(row: u64, r: &mut Random, rows: &mut Rows) {
    let (cell, cycle) = thing_and_step(row, 24);
    let lfp = cell % 2 == 0;
    let age = float(cycle) / if lfp { 4_000.0 } else { 1_500.0 };
    let health = 1.0 - 0.2 * age - 0.01 * (float(count(cell)) * 0.7).sin();
    let capacity = if lfp { 100.0 } else { 5.0 } * health;
    rows.push([
        format!("C{:03}", cell + 1).into(),
        if lfp { "LFP" } else { "NMC811" }.into(),
        (cycle + 1).into(),
        Cell::Moment(START + cycle * 7_600 + count(cell) * 31),
        num(capacity * r.normal(1.003, 0.0008), 3),
        num(capacity * r.normal(1.0, 0.0008), 3),
        maybe(r, 0.01, 95.5 - 2.0 * age, 2),
        num(if lfp { 0.42 } else { 21.0 } * (1.0 + 0.6 * age) + r.normal(0.0, 0.004), 3),
        {
            let v = r.normal(31.0, 1.1) + 4.0 * age;
            maybe(r, 0.005, v, 1)
        },
    ]);
}

fn cell_culture(row: u64, r: &mut Random, rows: &mut Rows) {
    let (sample, run) = thing_and_step(row, 57);
    let hours = count(sample) * 6;
    let t = float(hours);
    let density = 0.4 + 17.0 / (1.0 + (-(t - 130.0) / 24.0).exp());
    rows.push([
        format!("R{:04}", run + 1).into(),
        nth(&["CHO-K1", "HEK293", "CHO-S"], run.unsigned_abs()).into(),
        Cell::Moment(START + run * 5 * HOUR + hours * HOUR),
        hours.into(),
        num((98.5 - (t / 95.0).powi(3) * 0.4 + r.normal(0.0, 0.6)).clamp(20.0, 100.0), 1),
        {
            let v = density * r.normal(1.0, 0.03);
            maybe(r, 0.01, v, 2)
        },
        {
            let v = (6.0 - density * 0.24 + r.normal(0.0, 0.15)).max(0.1);
            maybe(r, 0.02, v, 2)
        },
        {
            let v = (0.1 + density * 0.13 + r.normal(0.0, 0.08)).max(0.0);
            maybe(r, 0.02, v, 2)
        },
        num(r.normal(7.05, 0.03) - density * 0.008, 2),
    ]);
}

fn metro_ridership(row: u64, r: &mut Random, rows: &mut Rows) {
    let (station, step) = thing_and_step(row, METRO.len() as u64);
    // Eighteen hours of service from 06:00 in China.
    let (day, hour) = (step / 18, 6 + step % 18);
    let at = START - CST + day * 86_400 + hour * HOUR;
    let weekend = matches!((day + 3) % 7, 5 | 6);
    let holiday = weekend || day < 1;
    let size = 500.0 + 190.0 * float(count(station % 6));
    let peak = |centre: f64, width: f64| (-((float(hour) - centre) / width).powi(2)).exp();
    let shape = if holiday { 0.6 + 0.5 * peak(15.0, 4.0) } else { 0.35 + 1.6 * peak(8.0, 1.3) + 1.4 * peak(18.0, 1.6) };
    let rain = if r.chance(0.12) { r.between(0.1, 14.0) } else { 0.0 };
    let riders = size * shape * (1.0 - rain * 0.008);
    rows.push([
        nth(&METRO, station).into(),
        count(station % 4 + 1).into(),
        Cell::Moment(at),
        Cell::Whole({
            let v = whole((riders * r.normal(1.0, 0.06)).max(0.0));
            r.sometimes_missing(0.002, v)
        }),
        Cell::Whole({
            let v = whole((riders * r.normal(0.98, 0.06)).max(0.0));
            r.sometimes_missing(0.002, v)
        }),
        Cell::Truth(Some(holiday)),
        maybe(r, 0.01, rain, 1),
    ]);
}

fn optical_links(row: u64, r: &mut Random, rows: &mut Rows) {
    let (link, step) = thing_and_step(row, 32);
    let at = START + step * 300;
    let length = 62.0 + 11.7 * float(count(link));
    let degraded = (step / 40 + count(link)) % 29 == 0;
    let power = -4.0 - length * 0.021 - if degraded { 3.5 } else { 0.0 } + r.normal(0.0, 0.12);
    let osnr = 31.0 + power * 0.9 + r.normal(0.0, 0.15);
    rows.push([
        format!("OVC-{:02}", link + 1).into(),
        Cell::Moment(at),
        num(length, 1),
        maybe(r, 0.004, power, 2),
        num(osnr, 2),
        maybe(r, 0.01, 10_f64.powf(-osnr / 6.0), 9),
        num(26.0 + 4.0 * daily(at, 15.0) + 5.0 * yearly(at) + r.normal(0.0, 0.3), 1),
        Cell::Truth(Some(degraded)),
    ]);
}

fn cold_chain(row: u64, r: &mut Random, rows: &mut Rows) {
    let goods = r.pick(&["vaccine", "frozen meat", "fresh fruit", "dairy", "seafood", "hotpot base"]);
    let (low, high) = match goods {
        "vaccine" | "dairy" => (2.0, 8.0),
        "frozen meat" | "seafood" => (-22.0, -16.0),
        _ => (1.0, 10.0),
    };
    let from = r.below(CITIES.len() as u64);
    let to = from + 1 + r.below(CITIES.len() as u64 - 1);
    let failed = r.chance(0.025);
    let distance = r.between(80.0, 1_450.0);
    rows.push([
        format!("D{row:07}").into(),
        goods.into(),
        nth(&CITIES, from).into(),
        nth(&CITIES, to).into(),
        Cell::Moment(START + count(row) * 410),
        num(distance, 0),
        {
            let v = r.normal(6.0, 14.0).max(-20.0) + if failed { 55.0 } else { 0.0 };
            maybe(r, 0.01, v, 0)
        },
        maybe(r, 0.01, low, 1),
        {
            let v = high - r.between(0.0, 2.0) + if failed { r.between(2.5, 9.0) } else { 0.0 };
            maybe(r, 0.01, v, 1)
        },
        Cell::Truth(Some(!failed)),
    ]);
}

fn wind_turbines(row: u64, r: &mut Random, rows: &mut Rows) {
    let (turbine, step) = thing_and_step(row, 30);
    let at = START + step * 600;
    // Fronts pass every few days.
    let front = (float(step) / 430.0).sin() * 2.4 + (float(step) / 97.0).cos() * 1.1;
    let wind = (7.1 + front + 0.8 * daily(at, 2.0) + r.normal(0.0, 0.8)).max(0.0);
    let stopped = r.chance(0.01) || wind < 3.0;
    let rated = 3_000.0;
    let power = if stopped { -r.between(2.0, 12.0) } else { (rated * ((wind - 3.0) / 8.5).powi(2)).min(rated) };
    rows.push([
        format!("WT-{:02}", turbine + 1).into(),
        Cell::Moment(at),
        maybe(r, 0.005, wind, 2),
        num(power * r.normal(1.0, 0.01), 1),
        num(if stopped { 0.0 } else { (6.5 + wind * 0.72).min(14.6) }, 2),
        num(
            if wind > 11.5 {
                (wind - 11.5) * 3.1
            } else if stopped {
                88.0
            } else {
                r.between(0.0, 0.6)
            },
            1,
        ),
        {
            let v = 41.0 + power.max(0.0) / rated * 24.0 + 4.0 * yearly(at) + r.normal(0.0, 0.7);
            maybe(r, 0.008, v, 1)
        },
        num((210.0 + front * 18.0 + r.normal(0.0, 7.0)).rem_euclid(360.0), 0),
        if stopped { "stopped" } else { "running" }.into(),
    ]);
}

fn technology_transfer(row: u64, r: &mut Random, rows: &mut Rows) {
    let field = r.pick(&["new materials", "integrated circuits", "biomedicine", "intelligent manufacturing", "clean energy", "software"]);
    let thing = match field {
        "new materials" => r.pick(&["carbon fibre prepreg", "silicon carbide substrate", "aerogel insulation"]),
        "integrated circuits" => r.pick(&["gallium nitride power stage", "low-noise amplifier", "chiplet interconnect"]),
        "biomedicine" => r.pick(&["lipid nanoparticle carrier", "rapid pathogen assay", "bone scaffold"]),
        "intelligent manufacturing" => r.pick(&["vision-guided gripper", "tool wear estimator", "weld seam tracker"]),
        "clean energy" => r.pick(&["perovskite tandem cell", "solid electrolyte", "electrolyser membrane"]),
        _ => r.pick(&["time-series compressor", "federated training scheduler", "point-cloud codec"]),
    };
    let level = 3 + r.below(6);
    let verb = r.pick(&["Method for producing a", "Device with a", "Control of a", "Test bench for a"]);
    let price = whole(r.normal(1.0, 0.35).abs() * float(count(level * level)) * 2.4) * 10_000 + 50_000;
    rows.push([
        format!("CN{}A", 113_000_000 + row * 37 + r.below(36)).into(),
        format!("{verb} {thing}").into(),
        field.into(),
        r.pick(&["Nanjing University", "Southeast University", "Purple Mountain Laboratories", "Jiangsu Institute of Metrology"]).into(),
        Cell::Day(i32::try_from(START_DAY - count(r.below(3_000))).ok()),
        count(level).into(),
        Cell::Whole({
            let v = whole(r.normal(6.0, 4.0).max(0.0));
            r.sometimes_missing(0.03, v)
        }),
        Cell::Whole(r.sometimes_missing(0.12, price)),
        Cell::Truth(Some(r.chance(0.3))),
    ]);
}

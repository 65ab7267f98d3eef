"""The words of a sheet in Vietnamese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VIETNAMESE: Final[Mapping[str, str]] = {
    "title": "Phiếu chứng cứ đo đạc",
    "subtitle_case": "Khác biệt giữa công trình đo được và giấy phép, hồ sơ",
    "subtitle_building": "Công trình đo được đối chiếu với giấy phép",
    "case": "Vụ việc",
    "building": "Công trình",
    "status": "Tình trạng",
    "what": "Nội dung",
    "made": "Lập ngày",
    "invented": "THÀNH PHỐ MÔ PHỎNG – mọi tên và số liệu đều là hư cấu",
    "verify_qr": "Quét để kiểm tra phiếu",
    "verify_note": "Kiểm tra: {address}",
    "page": "Trang",
    "of": "/",
    "notice": "Phiếu nêu điều đo được để cán bộ kiểm tra tại chỗ. Phiếu không kết luận vi phạm và không buộc tội ai.",
    "conclusion_case": (
        "{kind}: đo được {actual}, giới hạn {limit}; chênh lệch {delta}. Với sai số đã nêu, xác suất chênh "
        "lệch thật vượt dung sai là {confidence}."
    ),
    "conclusion_case_plain": (
        "{kind}: đo được {actual}; chênh lệch {delta}. Với sai số đã nêu, xác suất chênh lệch thật vượt dung "
        "sai là {confidence}."
    ),
    "conclusion_short": (
        "{kind}: đo được {actual}, theo giấy phép {limit}; thiếu {delta}. Với sai số đã nêu, xác suất phần thiếu "
        "thật vượt dung sai là {confidence}."
    ),
    "conclusion_demolished": (
        "{kind}: tại vị trí trên bản đồ, phép đo cho {actual}. Với sai số đã nêu, xác suất điều đó vượt quá mức của "
        "sân trong và giếng trời là {confidence}."
    ),
    "conclusion_standing": "{kind}: vào ngày đo công trình còn cao {actual}.",
    "more_than": "trên {value}",
    "less_than": "dưới {value}",
    "conclusion_within": (
        "Trong phạm vi được phép, theo mức phép đo cho biết: không đại lượng nào dưới đây vượt giới hạn quá dung sai."
    ),
    "conclusion_open": (
        "Phép đo này không đủ để khẳng định: có đại lượng vượt giới hạn và dung sai, nhưng chưa vượt quá sai số đo."
    ),
    "conclusion_beyond": "Có đại lượng vượt giới hạn nhiều hơn dung sai và sai số đo; cần kiểm tra tại chỗ.",
    "conclusion_flagged": (
        "Công trình này đang có {count} khác biệt cần kiểm tra; phiếu này không thay phiếu của các vụ việc đó."
    ),
    "conclusion_top": (
        "Điểm cao nhất của mái cao hơn chiều cao cấp phép {height} m; có tính lan can, buồng thang, bể nước "
        "hay không do người có thẩm quyền xác định."
    ),
    "input_name": "Tên, phiên bản",
    "conclusion_nothing": "Không có giấy phép hoặc giới hạn nào để đối chiếu.",
    "map": "Vị trí",
    "map_caption": "Hệ tọa độ {crs}, mét. Dải xám quanh công trình là ±1σ của đường bao. A–A′: mặt cắt.",
    "map_alt": "Bản đồ thửa đất, công trình đo được, phạm vi được phép và đường",
    "map_parcel": "Thửa đất",
    "map_permitted": "Mặt bằng cấp phép",
    "map_building": "Công trình đo được, ±1σ",
    "map_neighbour": "Công trình lân cận",
    "map_parcels": "Thửa lân cận, số thửa",
    "map_reserve": "Lộ giới",
    "map_setback": "Chỉ giới khoảng lùi",
    "map_section": "Mặt cắt A–A′",
    "model": "Mô hình 3D",
    "model_caption": (
        "Mô hình đo được với các điểm đo; khối trong, nét đứt: không gian cấp phép. Phần gạch chéo cao hơn "
        "chiều cao cấp phép. Nhà phía trước chỉ vẽ chân."
    ),
    "model_caption_plain": "Mô hình đo được với các điểm đo. Nhà phía trước chỉ vẽ chân.",
    "model_alt": "Hình ba chiều của công trình đo được và không gian cấp phép",
    "section": "Mặt cắt A–A′ qua đám mây điểm",
    "section_caption": (
        "Các điểm cách đường cắt tối đa {width} m. Tỷ lệ đứng bằng tỷ lệ ngang. Độ cao theo {vertical}."
    ),
    "section_alt": "Mặt cắt: điểm đo, mặt đất, mái đo được và chiều cao cấp phép",
    "section_ground": "Mặt đất {height} m",
    "section_roof": "Mái đo được, cao {figure}",
    "section_permitted": "Chiều cao cấp phép {height} m",
    "section_tolerance": "Dung sai, thêm {height} m",
    "section_height": "Độ cao, m",
    "section_distance": "Khoảng cách dọc A–A′, m",
    "section_roof_points": "điểm trên mái công trình",
    "section_ground_points": "điểm mặt đất",
    "section_other_points": "điểm khác",
    "section_model": "mô hình công trình",
    "figures": "Số liệu đo",
    "quantity": "Đại lượng",
    "value": "Giá trị ± σ",
    "figure_height": "Chiều cao trên mặt đất",
    "figure_ground": "Cao độ mặt đất tại chân",
    "figure_roof_max": "Điểm cao nhất của mái (kể cả buồng thang, bể nước)",
    "figure_area": "Diện tích chiếm đất",
    "figure_outline": "σ của đường bao",
    "figure_storeys": "Số tầng, ước tính từ chiều cao",
    "figure_storeys_value": "{value} (từ {least} đến {most})",
    "figure_points": "Điểm đo trên mái",
    "figure_points_value": "{points} điểm; {density} điểm/m²; {share} % mái không có điểm",
    "figure_lod": "Mức chi tiết của mô hình",
    "comparisons": "Đối chiếu",
    "limit": "Giới hạn",
    "difference": "Chênh lệch",
    "allowance": "Dung sai + k·σ",
    "result": "Kết quả",
    "comparisons_caption": (
        "Chỉ nêu “vượt” khi chênh lệch lớn hơn dung sai cộng k·σ; k = {k} ứng với tỷ lệ báo nhầm do cơ quan chọn."
    ),
    "flagged": "Khác biệt đã ghi nhận",
    "finding_actual": "Đo được",
    "finding_limit": "Giới hạn",
    "finding_delta": "Chênh lệch",
    "finding_short": "Thiếu",
    "finding_confidence": "Xác suất vượt dung sai",
    "finding_evidence": "Chi tiết",
    "limits": "Giới hạn áp dụng và căn cứ",
    "source": "Căn cứ",
    "source.permit": "Giấy phép {name}",
    "source.zone": "Quy hoạch: {name}",
    "source.rule": "{name}",
    "limits_doubt": "(?) Số liệu trong bản sao văn bản chưa chắc chắn.",
    "limits_none_rules": (
        "Quy chuẩn có hiệu lực vào ngày cấp phép chưa có trong bảng quy định; chỉ nêu giấy phép và quy hoạch."
    ),
    "at_most": "không quá {value}",
    "at_least": "ít nhất {value}",
    "parcel": "Thửa đất",
    "parcel_number": "Tờ bản đồ / thửa",
    "ward": "Phường, xã",
    "address": "Địa chỉ",
    "land_use": "Mục đích sử dụng",
    "area_legal": "Diện tích pháp lý",
    "area_measured": "Diện tích theo bản đồ",
    "holders": "Người có quyền",
    "holders_hidden": "không in: người đọc không có quyền xem dữ liệu cá nhân",
    "holders_none": "chưa có trong sổ",
    "parcel_none": "Không rõ thửa đất, hoặc người đọc không được xem.",
    "permit": "Giấy phép xây dựng",
    "permit_number": "Số",
    "permit_issued": "Ngày cấp – hết hạn",
    "permit_status": "Loại, tình trạng",
    "permit_floors": "Số tầng, chiều cao",
    "permit_floors_value": "{floors} tầng; {height} m",
    "permit_area": "Diện tích xây dựng / sàn",
    "permit_none": "Không có giấy phép nào ứng với công trình này.",
    "survey": "Phép đo LIDAR",
    "survey_epoch": "Đợt bay",
    "survey_days": "Ngày đo",
    "survey_density": "Mật độ điểm",
    "survey_density_value": "{value} điểm/m²",
    "survey_noise": "Nhiễu điểm trên mái (σ)",
    "method": "Phương pháp",
    "method_text": (
        "Công trình được quét từ máy bay bằng LIDAR; các điểm trên mái và mặt đất được tách ra, từ đó dựng mô"
        " hình và tính chiều cao, đường bao cùng độ lệch chuẩn σ của chúng. Số liệu này được đối chiếu với "
        "thửa đất, giấy phép và quy hoạch theo sổ đăng ký, trong hệ tọa độ {crs}. Khác biệt chỉ được nêu khi "
        "lớn hơn dung sai của cơ quan cộng với k lần σ, và luôn để người kiểm tra tại chỗ quyết định."
    ),
    "limits_of_proof": "Phiếu này không chứng minh điều gì",
    "not_1": "Ai đã xây, khi nào và vì sao; phiếu chỉ nói về công trình vào ngày đo.",
    "not_2": (
        "Số tầng: tầng không nhìn thấy từ trên không; con số là ước tính từ chiều cao, và cùng một chiều cao "
        "có thể là ít tầng cao hoặc nhiều tầng thấp."
    ),
    "not_3": "Điều bị che: dưới mái hiên, dưới cây, trong nhà, tầng hầm; công dụng của công trình.",
    "not_4": "Sổ đăng ký là đúng: có thể có giấy phép, điều chỉnh hoặc ranh giới chưa được nhập.",
    "not_5": (
        "Chiều cao pháp lý: cách tính của giấy phép (từ cốt nào, có kể lan can, buồng thang hay không) do "
        "người có thẩm quyền xác định."
    ),
    "history": "Diễn biến vụ việc",
    "history_since": "Từ",
    "history_seen": "Kết quả tại chỗ",
    "history_none": "Công trình này không thuộc vụ việc nào.",
    "inspection": "Ghi tại chỗ",
    "inspection_text": (
        "Ngày: ............................   Cán bộ: ......................................................"
        "   Giá trị đo tại chỗ: ............................"
    ),
    "inspection_boxes": "☐ đúng như phiếu    ☐ trong giới hạn    ☐ sổ đăng ký sai hoặc thiếu    ☐ không vào được",
    "inputs": "Dữ liệu đầu vào (SHA-256)",
    "input.case": "Khác biệt",
    "input.building": "Công trình đo được",
    "input.parcel": "Thửa đất",
    "input.permit": "Giấy phép",
    "input.points": "Điểm đã phân loại",
    "input.survey": "Tệp đo gốc",
    "version": "phiên bản {version}",
    "proof": "Kiểm tra phiếu này",
    "proof_text": (
        "SHA-256 của nội dung: {digest}. Nội dung chuẩn (JSON, RFC 8785) đính kèm trong tệp PDF: "
        "evidence.json. Phần mềm diaba {software}. Kiểm tra: quét mã QR, mở {address}, hoặc chạy “diaba "
        "compliance verify TỆP.pdf”."
    ),
    "proof_html": (
        "SHA-256 của nội dung: {digest}. Phần mềm diaba {software}. Kiểm tra: quét mã QR hoặc mở {address}. "
        "Bản PDF có đính kèm nội dung chuẩn."
    ),
    "kind.no_permit": "Không có giấy phép",
    "kind.storeys": "Cao hơn giấy phép khoảng một tầng trở lên",
    "kind.footprint": "Ngoài mặt bằng cấp phép",
    "kind.parcel_line": "Qua ranh thửa đất",
    "kind.setback": "Trong khoảng lùi",
    "kind.reserve": "Trong lộ giới",
    "kind.zone": "Vượt giới hạn quy hoạch",
    "kind.ground_level": "Cốt nền thấp hơn giấy phép",
    "kind.demolished": "Công trình không còn",
    "kind.standing": "Còn tồn tại sau thông báo phá dỡ hoặc khi giấy phép có thời hạn đã hết",
    "kind.unfinished": "Chưa xây hết theo giấy phép",
    "status.flagged": "chưa kiểm tra",
    "status.assigned": "đã giao kiểm tra",
    "status.confirmed": "đã xác nhận",
    "status.dismissed": "đã loại",
    "status.resolved": "đã giải quyết",
    "status.valid": "còn hiệu lực",
    "status.expired": "hết hiệu lực",
    "status.revoked": "đã thu hồi",
    "status.superseded": "đã được thay",
    "type.new": "xây mới",
    "type.legacy": "cũ, trước khi có sổ điện tử",
    "type.renovation": "sửa chữa, cải tạo",
    "type.temporary": "có thời hạn",
    "verdict.within": "trong giới hạn",
    "verdict.open": "chưa kết luận được",
    "verdict.beyond": "vượt",
    "compared.height": "Chiều cao",
    "compared.outside_permitted": "Nhô ra ngoài mặt bằng cấp phép",
    "compared.over_parcel_line": "Nhô qua ranh thửa",
    "compared.setback_front": "Khoảng lùi trước (tối thiểu)",
    "limit.height": "Chiều cao",
    "limit.floors": "Số tầng",
    "limit.ground_area": "Diện tích xây dựng",
    "limit.floor_area": "Tổng diện tích sàn",
    "limit.setback_front": "Khoảng lùi trước",
    "limit.setback_rear": "Khoảng lùi sau",
    "limit.building_density": "Mật độ xây dựng",
    "limit.floor_area_ratio": "Hệ số sử dụng đất",
    "limit.height_at_building_line": "Chiều cao tại chỉ giới xây dựng",
    "unit.floors": "tầng",
    "unit.storeys": "tầng",
    "unit.storey": "tầng",
    "unit.m2": "m²",
    "evidence.permitted_floors": "số tầng cấp phép",
    "evidence.storeys_over_estimate": "số tầng vượt (ước tính)",
    "evidence.covered_by_permits": "phần có giấy phép",
    "evidence.height_m": "chiều cao, m",
    "evidence.reach_m": "nhô ra, m",
    "evidence.outside_beyond_tolerance_m2": "ngoài dung sai, m²",
    "evidence.area_over_m2": "phần qua ranh, m²",
    "evidence.sigma_reach_m": "σ của phần nhô, m",
    "evidence.wall_m": "chiều dài tường, m",
    "evidence.outline": "đường bao từ",
    "evidence.detectable": "phát hiện 95 trên 100 lần từ",
    "evidence.reserve_width_m": "bề rộng lộ giới, m",
    "evidence.area_in_reserve_m2": "phần trong lộ giới, m²",
    "evidence.storeys_estimate": "số tầng (ước tính)",
    "evidence.sigma_storeys": "σ của số tầng",
    "evidence.probability_more_storeys": "xác suất nhiều tầng hơn",
    "evidence.sigma_height_m": "σ của chiều cao, m",
    "evidence.area_m2": "diện tích đường bao, m²",
    "evidence.side": "phía",
    "evidence.zone": "khu quy hoạch",
    "evidence.also": "cũng vượt",
    "evidence.due": "thời hạn",
    "evidence.surveyed": "ngày đo",
    "evidence.type": "loại giấy phép",
    "evidence.citation": "căn cứ",
    "evidence.limit": "giới hạn",
    "outline.map": "bản đồ",
    "outline.points": "điểm đo",
    "outline.map and points": "bản đồ và điểm đo",
    "side.front": "trước",
    "side.rear": "sau",
    "zone.floors": "số tầng",
    "zone.height": "chiều cao",
    "zone.density": "mật độ xây dựng",
    "zone.FAR": "hệ số sử dụng đất",
    "outcome.confirmed": "đúng như phiếu",
    "outcome.within_limits": "trong giới hạn",
    "outcome.register_wrong": "sổ đăng ký sai hoặc thiếu",
    "outcome.not_accessible": "không vào được",
    "type.relocation": "di dời",
    "type.by_stage": "theo giai đoạn",
    "type.demolition_notice": "thông báo phá dỡ",
    "unit.% ground": "% thấy mặt đất",
    "text.Annex": "Phụ lục",
    "text.Table": "Bảng",
    "text.Article": "Điều",
}

"""Chunks of NetCDF files that unpack to more than they declare are refused before HDF5 makes room for them."""

from __future__ import annotations

import base64
import resource
import zlib

import netCDF4
import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import CorruptFileError, MemoryLimitError
from roofcube.files.guards import hdf_chunks

LARGE, DECLARED = 400 << 20, 1 << 19  # bytes
# HDF5 files of h5py, which netCDF does not write: a chunk of the newer form that unpacks to 4 MB, one of three of them,
# and a harmless chunk that is packed twice; packed by zlib, in base 85
FOREIGN = {
    "in one chunk": (
        "c-rmTO^hUE83*upc7d$R8d}8IDv{C{?WiH8BD9~>x-"
        "9hSvRm#Vw)jDzpuGx9DWI*OmiX29MIYy4QpYhd+6kAr`I>l`V_!@<p6b|%F{zW8lQ_HmTiN)P=#8ZQ$>f)}pL*)8=bgi(lbYv7cisKUqp"
        "v@D_{foPB`?bD_iWaw&qu%d!`ZW=yUra7(?d62ec_cHJruS=xb9duU~Bq<HtP$&+w#FM{NMS_-"
        "+uk)%a3qy!>yY_IJC93wLZM5UGeZuVe3`NonbRj7H+#f-"
        "1g!@?b?H<JAD21$HLY@*QF;4uQ;e5dE=$ZLDq+lgss2c@X}t{9UEVBW4PvDXFYcMV5e|H=!JvFxa-utC(oQeb@t4Ir%#=~FTC!ct9S78+"
        "DrEjo2R@o{MBY}yXv!B|JSql<t^7dy*Z0F{eNe1^vJ<)@$i;n$Zq+s^S<NKyw@FEd{8`b`uO?t;nl`G6s|sj^Cym<J{gYPeChIQH<zC|e"
        "(%Z4S0D0oAsl;jbA0Kg<2!fq?vv+Eo;h)HbA0z7+T8cyhn{@siASD%=^P)v@Yo|4pSbY&#c<?O{hG^<oBZ43ec_)D>)Zo>d@6M5(xpq6|"
        "B&|1D}Vbo9AS?)vCo^C@XdS+-^u~s&Uf-wrhFIQ&G+y&zL&T24i5P~zMmi92l*j>n0GSUSTP*8X84FT!wGAKyQ~>bS~J{j&2W!3!^oQ9l"
        "r_Ugtr<RM&2ZY9;a+QoGu8}etr_x-87oGHkE^p{WH_hJijm>GIx9wo`_x%6GJHav6(hs_>Z}+UKB>-"
        "%kzuUPijm<{>Z}+U9#Ch+$na@(R*VdvQD?=-"
        "@L6?Mj0~SsXT`|ypgJo?hGJvFj0G#!jBFSl($9<qE7pu`7(TC`84Fgd8QCy=K|eDVtXMO$VR%?SGZw5^GqPcLL_aeYtXMO$VfdncW-M5-"
        "W@N+gCH>4;uwu=~hGC+g84Fgd8QCyg(9etoE7pu`7{08Z84Fgd8QCy=ML#nZtXMO$VR%$OGZw5^GqPcLOg}RgtXMO$VYsND84Fgd8QCyA"
        "uAdnTR;(G>Fq9j6Oqeob&VnT?&RKK8$R!)L3}3ZB6Q<0VvtY@JbJkoia><4*!`JN3gef!TELgJQoHZAWT(V)y@Pz%DFlEM^1xr?(v*v=4"
        "OEzp7p0qy`rp%bLV9APe)?6@h$%ZY%Q}$=Vlo@jtELm~RnhQoQ*|25!y8W3jWyYKZOIDn-"
        "=7Nz+Hf$NbVSgq}nK5U<k`?EyxnSgy4O@n({h2Uj#+(I9R-"
        "Ciuf{{x$Y#F|3e<n<sF=xS&73ZwEVC0ewTZV7hp9xcD%vrEx#W`y(7`bG_mf>mpGhxb%ISZDoIA_fTBbRL0GCX5{CQO+zXTg#c=d8J4<d"
        "O|rhHu-S2~%dwS+HcqIcqK$xn#qZ;XC$c!ju_v7A#qD&YBBGF4?eU_^$n#FlEM^1xr?(v*v=4OEzqI@WprYb)P-"
        "<nQ*|ALuMQ?=a>a2EIDPx8Ry()%^fbd%g8-"
        "0xnjdLTkbP_&;0DM&x8Y}95UmGImawGVaX{g&N$~bYwmEtT}JM4$rT%}*>a!ZS@W~UJ`)a@a>$G$<{Y!&ge9k}IOCk#thvJlcNw|IC0A^"
        "?X3Kqs@0*`J_L*?NltX45G3S^CCoDN-"
        "#Tn<^X3ZTgxXZ{rF1cdEHCyg8{J{L|vCo79rW`Wkh&jhBIAO^tE6zCQHf!#1!Cgk~amf`MuGw;*;fLmDk9{T_Fy)XLN6a~9!3j%FS#icW"
        "w^?(C3+^&<k4vuDaLtzc3_mhId+amefGLN}IAYE*3r<*a%8E12xy_n8TyU3>dt7qGhHJLmXZW%C*<+sx2TVC+#u0OlS#ZLVQ&yaD&TZD*"
        ";exx2+~blfHe9piKEurX?6J>;1Ew4@<A^!OEI47wDJ#x6=QeBZaKT+h?s3T#8?M=MpW!+4v&TLY4w!Ptj3ee8v*3g!r>r>RoZGCq!v%L4"
        "xyL0}Y`A92eTJWypFQ@OaKMy9W*jl+m<1;+Ic3Ee=iFw^9WJ=b$UQE(V#76C?lb(<{OqyMgaf7=GUJFj$1FHu$tf$&IOjHN?r_0fM(%OR"
        "6&tSEa-ZR6=4X$6CLA#3kQqnJIcC8LOHNsF#yPiHbB7D=GIEbguGnzRmir7pH$QvqGvR<Khs-"
        "!)&M^y4SaQmWGtRlqnmb%@myvs1a>a&gw%lj<h56ZIp9u#{Ib_BWbB<YX!je-~oN>-"
        "=*4*KOyNul9k}Eb`v*kX+^X6xdeI^_*<?#9Jo)c$JUw-GPx4F}m_m8f;P4|zN-"
        "eh${=+dQ2mo8npbm`KiOP4NPy1dLX{nKB5fBBz}o=sl-?Zr{H)g4KfE?v5G>C&Z3mo8npbm{W4&ogg09K+V%0WJ>!a{"
    ),
    "in a newer table": (
        "c-rmVacrYyo*(dchPhF0Hf7z}l)5xRE{c#fjgU)I>Z2)ZX2YD9W@p_Yox0Q9oR`Z|LvwR3o1-pG>06qkJ}#v$%~6-"
        "8)TJpGp@>>sL@gB2_fUi^6d?;m$U+gaP=qX+A`3;xLJ`}6`OsVSPW@y5TPa^D`s8_ke%|N(J&)c<`OCkXox1R6&fI$DrlFzWoBUK>|D7A"
        "-l<V)W&3)&G*{Mq>gYwC<Kl{ONa^_@kA_z_o2iG}K{zKD@ANijrTu28$cV7K+<9~hq2-k0TVk8Joo;Y!$`K=qZZ@g(FIPqr_-wkdwlnEx"
        "j6-@l}rXcvG>rZ#nx4tzToVY&gt0xM6`FefmJ6~5$p6uN;6x?*?;N*>){JFEisXy7^@bvZD2j322!S%JLzW;;!FFyGFA71?R>F+-"
        "{6a0nivtrkO{`^-r4Q@QzHy!`1(T{)T+OPclTM_*Jm2=q}d-0ckzP&gzbo~@>I-"
        "wXuzxMxa{V#vj`swQ*zFz#^^nDLL7<@;^Uv1eRZ^nb)yKnmbV0iSakN?t*k6*m+2ls#d>63mQ35Mry>}2YzoxF7ah5IkvfAM?w-"
        "`L5^CvV($?neth`pJ(M{&-"
        "909{J55U;D`;zjZAb`l^2F>&H#}sXP6L|IcO>M~f2|?#oUECq~ZP<l2y5{%HAs#4p@8bv`)p&FM$KeZ$Yc9sG&6;%D#rr(N6p<*UCD9Op"
        "R4InFOw`rq|S#$QOrIKntbnc(dl;~h-"
        "$9LISlQ~WEui+`09{A;|Mf1PRm3h&|H;3WSh@8x%yxnaoQK4S*wjTwB;n8B1WgZqscTrg(vtHunn#tgo1%-"
        "{iI27k+#!L%`h9~d*ZXw2Y;#td>d%rIoc;BTulWW?Z-IzvVb9#m(@h{23HLq-"
        "h#jygj|3@)oPWW?a_sxxH7Ag|7l5re;{&X5s<E9wjxG5GuH3>h()RcFYE!LO+^WW?aAIzvVbeqEg*BL;;VCYWJ?A?u9TW$+{OnPGt;>x|"
        "fC@R0e;u)vUYM(i^94fB~{fg$UR*kv$hJ~J#ZWStSa41R1rGb}J<oe{eX9yXsD78tV5h+PK%z<g#{V8}Wnb{Q1SXNCoatTSSl!6W7~!va"
        "Ir8L`XYQS+H$fg$UR*k$k!&1Z%MhO9GUm%+UG%&@?abw=zm_)YVfVSyp*jM!yx&3tB9V8}Wnb{YJZ`OL7ukab4vGAP|J#spK$FvkK*3|V"
        "EJ4MuFU%RYmDWPK)>Vum>uSYpU3>ufM$n_c!9JZ60+m|})G7Fc4)D(h@8Vw+v|8T`chOfba^b1bmLkX6>%V8k}N>@!%fJ`+qa!yF4NF=U"
        "l>HW;zZF8d6A+xko}#SC*Su*8s6*4bdhHoNRIc-;C-"
        "FvSdWEU?6oRo2;H#5TL^Gx*2WXM!nam}7w@hODyA1|zoFWuHOW`b;pz409~7#E@0i*<i#ryX-UgC)Q_zDQ1{sfhC5lvd#u0w%KK$!4uYJ"
        "f+=R0V}T`xtg_AqBevOPpTR%1J`+qa!yF4NF=Ul>HW;zZF8d4?t<MBg%rM6SOAJ|Moef58v&%k%e`b9qm|})G7Fc4)D(h@8Vw+v|89Zry"
        "CYWM|ITl!A$SUh>Fk+is_8I(h>odU=Gt9BT5<^y5XM+*j?6S}6|M=eccb_rFnP8GBrkP=uIp$elktLQHvcf8BtaF_WHW{(SHaqOH$36!P"
        "{)PS-"
        "W1I;lnPQq5W|?E21r}LinIS8zvc@{s*<h0qTWqt#E_>{Az~CwUGsZX*OftnZGt4r_JPRzc#4<xxSY?fMuCu`=BevLPhh6sA=YYY#)IVd4"
        "Gr=TNOf$nQbIh~AB1<eYWQA4MSm!z$Y%*etZFbmYk9`gpEa{&y#+hJ}DW;iWmO18GV38%38M4AEYpipf4K^9E#Wp+avd2CL41P!dj4{px"
        "lT0zq471EJ&jO1qvCNPaR#{`6>uj*eh%L6+VV6DjIbiU#{uyJO2_~6hni*!9W1a;TSz?(XE3C4{I@j4?lM!2Nv%@ZX>~p~2U+JGQ#+hJ}"
        "DW;iWmO18GV38%38M4AEYpipf4K^9E#Wp+avd2CL3@Z9(jBzHIWQu8Km}QQ67FcA7WrnP<${OojXM;^fY_ZJ_yX>*g0fXPwKVytD!6Z{m"
        "Gs7%%%(K8EODr>Fg;myA=Q<l~GGdEucGzW)eGV8rqkqO2XM#zlm}Z7q=9p)JMV44*$O@~hvCefi*kr^O+w8E*9{U_H_&xnI#yAs9GQ~7A"
        "%reJ33oNq4GDB8aWsP;Nv%w}Kw%BHeUG~`LfWfl<8DpFYCYfTI8D^Pdo&^?JVwoW;tg^;B*V$l`5nF7t!!CR5bHLzV>z^^knP8GBrkP=u"
        "Ip$elktLQHvcf8BtaF_WHW{(SHaqOH$36!Pp4C5Nj5EO`Q%p0%EOX4Wz#>a5Gh~HT)>!8{8*DOSi*0t;WsiLh82lUkGsZX*OftnZGt4r_"
        "JPRzc#4<xxSY?fMuCu`=BevLPhh6sA=YT==hNn2hVa7PZI7gY_7?T`liW5w8k{M1h%W38~!#rnM;2evbXNe0ebCDsJSm83OTw#r?taFX)"
        "++c&7Y;ubcx7p$j+uUV`d+c(bJsz;nLk@Vv;NLob4sn<<jxf$qCOF0<$C=^;)0||6Q_OOjInFT8Sr$0QBIjA+0?S-"
        "v$R$>|%qmw{<0|W1<2pCk;3k{gV#IB>xWhJg+2J0$+-Hvm?DLQV9x-"
        "^%`E!WFjB$i<jxxb9COOU&Cz$3WGn`_U)68*(dCs!HITkt35*JwJB10~*!ev&u!Wvgu=Ni|!!3H<k<Q5}tv&9{@xyugs*yTQZJYb)P9Po"
        "(2zjOW^;xJ<zVVt8(aEwWgGsOv}ImryCnB_EcoME1`EO3rR&a=b?mbu7~ORR92Rj#ncRo1!2b#Ac1O*Xm3h}&#&hi&e%!##Gn&mIrh=OG"
        "6?VzA=;ImBVcIKntbncx_c9A}CXOmmVMPBF`A<~YMVXIbDJi=1bP3oLVyA(vR;GOJu+jjOD4jqBWCgPUw}ixIck;tt!~Wrut0a-"
        "TgOu+Kvdc*NlMoj->-%os-"
        ")=O_~#W0K=cae`@1GQ%lmIn5krnCC1DoMVymEOCKlE;8g2D_mxkE39#qb*^!p8*FfsO>QybHe1|bo4f3Ak6rGw#{>3x$N`TSJn#HD#9_u"
        "b!Z=5n;24t}XNnU{bCMZOG0SP@IKw<=S>POtoM(v(EOU_|mssI4t6X7?tE_X4>)c?2n{0B65x3dm4%^&ihkNXDpFJM1&qEG)#NgjMe-"
        "3e&F^(|KQ6@OXB*&TJ1k;>khEvRPnmNue&si2Y$0Fxh;sVQDWXL5}xXdb7SmP?|T;n=7*x)9c++xISwz$JKciG_{yWD4w2ki5Z10FG`Ie"
        "!jum@$qp&QT^f#w5p?;sn#2WQJ4Ba+*2LFwa>QIL9LAS>giATx7^4R=CV6S6JgJ>s;eHH`w4No7`f=ZML|>Hh0<K9=qIUj|c4YkOLku_z"
        "%vXLmXy|BaCyD363$zai%!IG$)zi6tkRWjx)@2mIcnS$a$8yz%myZa)}i#v&t3LxXL=$xXukWxXC8B7;&2|?y${WcDTnb_u1nC`#j`;M+"
        "{zY{v6^kV;o_eqfBs&Nscqc38p#845ygoG;^F`p0g})jz!M1#08eQ$dF5{aG6!Eu*Ox^xyE&Fu)$3>xy6XvY;lKe?y|!@cDc_U57_4+2R"
        "vf%ADuskILsJF80RPx9AlE>OmTu~PBOzOW;x9qXPD<K3!Gz-^DJ?JWiB%05-"
        "VJ0l`E`qm36Lhof~X$lTB_h;x=2{VVk?`aF1Q?v&RGWdB_2e7_2&f4sn<<jxf$qCOF0<$C=^;)0||6Q_OOjInFT8Sr$0QBIjA+0?S-"
        "v$R$>|%qmw{<0|W1<2pCk;3k{gV#IB>xWhJg+2J0$+-"
        "Hvm?DLQV9x?b&&YwdZW{e|@bCd~=G0AbJIKeb0nc)<(oMw(Q%yX6n&audOmbkz&7a4Mi6)v;N71p@QI@h?)4K}#RCbt-In=S6J&0Ti5$1"
        "eBT;{p3T<bX#EUUdE(;xJ<zVVt8(aEwWgGsOv}ImryCnB_EcoME1`EO3rR&a=b?mbu7~ORR92Rj#ncRo1!2b#Ac1O*Xm3h}&#&hi&e%!#"
        "#Gn&mIrh=OG6?V(_1xKZiKX7)KcAC=(oGlH*Kqf@w}N!zpGt%^YW#=PV1HW0CVLae-wnGUO5~TxOLktZ|ifu5q0kY;coJZZYCETijuryX"
        "<g}UGB5T1NM2y0go8eZ+McYc$z~z!(rac7|(Kqw=m9IIm+9Z;O!ja9Zd2Z$9X4Hyo(dOn`z#|N#4s0&vS|wnB@bU=0)asi8H*+Jg;z;S6"
        "Sdgoa4hR@=?z78cTeP3w)eqKEXvk$&gQRiBGe_XSmE~S><zF;q$EV1+MZ%*7*|G_%he|3OD#F8+?tMe4S0c!7aYYh;MP5Z?naBxWjkZ=6"
        "l@b`|R)o?(su*`4RW|F?;-k2mF+Me#S$7&H=yR5x->cU%dZ3#nT+(84mMi#(0(^yoGVz%2D3N1aIdU?_iSWIL<qn;$58J-"
        "AwZyPV!!6c%D<dz$_o&G%qs8OPt|l=6Qv)yvhO};v64lk&kko*I43XT;Ss@^9e5UNrrriOMIFYKEq``%PODa3ZG|<FL0GFvd)*d#+SLyS"
        "Gd7f+2Cv3<m+tm4Q}yGMtqCge48!4!yUfMHs9ke-"
        ")Dy(aE~9d%a6FvkJ;lVJm9D7^D`dua}M|gkN72nm%RTx#nT+(84mMi#(0(^yoGVz%2D3N1aIdU?_iSWIL<qn;$58J-"
        "AwZyPV!!6c%D<dz$_o&G%qs8OPt|l=6Qv)yvhO};v64lk&kko*I43XT;Ss@^9e5UNrrriOMIFYKEq``%PODa3ZG|<FL0GFvd)*d#+SLyS"
        "Gd7f+2Cv3<m+tm4Q}yGMtqCge48!4!yUfMHs9ke-"
        ")Dy(aE~9d%a6FvkJ;lVJm9D7^D`dua}M|gkN72n|LXncDW2vK&v2MGGsd$V;Vq2wR*v#ECU`r?cn6a_$8p}t6z}2$?`E3!aFX{j!}FZt1"
        "!nmGr+JY%Ug8WdGtVoW<y98=5a;+Xi+q&xyv7nA;{qRNnNM($Pcr0FT;kKL@EI=iSyuTRSNJ?@e1WTck#)YrHNMPszQPT@$_8KKCSPZhZ"
        "*YrmGU8j@=G$!X9q#a5w)q}+`93@RfP4IqU4F!Ue#{;};Q>EopP%uNpL4)3c*HLmta<-=il;fmGaTm4jPWc-cnjmam7~0k3Es{z-"
        "oYf#ah!KD#k)AcyP4)aoaDXC@I0q@fmuGlX<lTGmpH@A%<~Fod6fk|#5q39A|K^Eud&3(xWLC*<`Z1xlMMM3m-sX*e1^+>mQ_B-"
        "6+X`zU*IZVWSuW@jW2VZuW*B}vccE5$=BKB8{FcXjQAF}`8Hd8hdX?iZNA4{zRwOn;2u9@mmhJTAG60#c)(BD=Vv_R=N#}09`Q>C|IPc)"
        "Q#{Qfp5ZWWW{hV!!dn>UtsLcTOz?J&@eU?=j^n(ODc;2i-"
        "pw@c;Uw>6hUYoO3(WEXPV*vjyu=w^W}a6#%d0H#A<pq(7WpXWd5tAL#sxmkGN0fgpJd3VxWuPf;WJ$3v#jztuJC!*_ySk?BI|sKYkZmOe"
        "1#i)l?}eeO}@@1-{2PCWW=|)&9~X&JKW*BZ1X+t@_lyr0r&VJyZngz{Fps{!UKNFK0o6jKj(m7@Q7bBc-"
        "i~UQ#{Qfp5ZWWW{hV!!dn>UtsLcTOz?J&@eU?=j^n(ODc;2i-"
        "pw@c;Uw>6hUYoO3(WEXPV*vjyu=w^W}a6#%d0H#A<pq(7WpXWd5tAL#sxmkGN0fgpJd3VxWuPf;WJ$3v#jztuJC!*_ySk?BI|sKYkZmOe"
        "1#i)l?}eeO}@@1-"
        "{2PCWW=|)&9~X&JKW*BZ1X+t@_lyr0r&VJyZngz{Fps{!UKNFK0o6jKj(m7@Q7bB_yg}hPw_N|c!tBgnK7Q_2ybDWw{n!XF~Qq8#ygngI"
        "gayArg#@8csJ9$hm*XQ8J_19FEGmoIL(X9@e*fvnR#B}EU&V_hd9TFS>&Uf=e0k`{Ob39IQ{i^Uc_#k<Tu}c@y)ln{NFEKk<Pb+;~eKW$"
        "2rb%j&q#j9OpR4InHs8^9z>p2mkwzzW(ydrxHK?@7J=K6USR}oZ}qlILA58agKAG;~eKW$2ra~d=~%WO;K>-{{XkRr}O"
    ),
    "twice": (
        "c-"
        "rgqaB<`1lHy_j0S*oZ76t(ZWbhvfPVl1gVe$!3nh{EOK<O1sFmXn(oCH){5NbZUx{x4OSCH!eXaHu90SkoYU>F4>5qP*d27u@YC?A$ePc"
        "WgXt3XSS9u(Tk$iNOUixI|$q+~`$h`<YG1{9hZC=ZemRIrDpRR;zWZU&S8P<d9MC`g`(nF(wFH-"
        "iP3&j`;i9N-+2lA4y2Sdz-X$$(#+1L_`TCZ-Bjgj3+zL<q_R+0mcRmCXROj}j2<=kLM@b`1n5Fps89asa5jW5iP4Dd14Qf)|w!OK+p);V"
        "2jdqhJ(_f>AJhLB*}rJHCEXP*!GUc0Sxv|N4GmfuTb~%N}NCWrqG}b_)P9msw5"
    ),
}


def foreign(path, kind):
    path.write_bytes(zlib.decompress(base64.b85decode(FOREIGN[kind])))
    return path


@pytest.fixture
def bomb(tmp_path):
    """A file with four chunks that do not shrink, of which the third is made to unpack to 400 MB."""
    path, values = tmp_path / "bomb.nc", np.random.default_rng(0).integers(0, 256, 4 * DECLARED, "u1")
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("i", len(values))
        file.createVariable("x", "u1", ("i",), zlib=True, shuffle=False, chunksizes=(DECLARED,))[:] = values
    content = path.read_bytes()
    at = content.rindex(b"\x78\x5e", 0, content.index(values[2 * DECLARED :][:64].tobytes()))
    packer = zlib.compressobj(9)
    first, next_ = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    packed = first + next_ * (LARGE >> 20)
    assert len(packed) < DECLARED
    path.write_bytes(content[:at] + packed + content[at + len(packed) :])
    return path


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


# what fails is read by this thread: others go on for a while, beside which a test may not use netCDF4 itself
ALONE = {"scheduler": "synchronous"}


@pytest.mark.parametrize("ask", [rc.load, rc.verify, lambda path: rc.load(path, chunks={}).compute(**ALONE)])
def test_a_chunk_that_unpacks_to_more_than_it_declares_is_refused(bomb, ask):
    before = peak()
    message = r"bomb\.nc: not readable as a cube \(a chunk unpacks to more than the 0\.52 MB that it may take"
    with rc.set_options(memory="100 MB"), pytest.raises(CorruptFileError, match=message):
        ask(bomb)
    assert peak() - before < LARGE / 2


def test_chunks_that_are_sound_are_read_beside_it(bomb):
    with rc.set_options(memory="100 MB"):
        lazy = rc.load(bomb, chunks={"i": DECLARED}).x
        assert lazy[DECLARED : 2 * DECLARED].compute().size == DECLARED
        assert lazy[-5:].values.size == lazy[[-1, 3]][::-1].values.size + 3
        with pytest.raises(CorruptFileError, match="a chunk unpacks to more than"):
            lazy[2 * DECLARED - 2 : 2 * DECLARED + 2].compute(**ALONE)


def need_filter(folder, kind):
    """Skip where netCDF has no such filter: the wheel of 1.7.5 does not find those that it ships."""
    with netCDF4.Dataset(folder / "none.nc", "w", diskless=True) as file:
        has = {"zlib": True, "bzip2": file.has_bzip2_filter(), "zstd": file.has_zstd_filter()}
        if not has.get(kind, file.has_blosc_filter()):
            pytest.skip(f"this netCDF4 has no filter {kind}")


@pytest.mark.parametrize("kind", ["zlib", "bzip2", "zstd", "blosc_lz"])
def test_what_fits_is_read_whatever_packs_it(tmp_path, kind):
    need_filter(tmp_path, kind)
    values = np.tile(np.arange(1000.0), (500, 1))
    with netCDF4.Dataset(tmp_path / "cube.nc", "w") as file:
        file.createDimension("i", None)
        file.createDimension("j", 1000)
        x = file.createVariable("x", "f8", ("i", "j"), compression=kind, fletcher32=True, chunksizes=(150, 300))
        x[:] = values
    with rc.set_options(memory="8 MB"):
        assert hdf_chunks.packed_values(tmp_path / "cube.nc", 1000)
        assert rc.load(tmp_path / "cube.nc").identical(xr.Dataset({"x": (("i", "j"), values)}))
        assert rc.load(tmp_path / "cube.nc", chunks={}).x[::-150, 7].values.tolist() == [7.0] * 4


def test_a_chunk_that_lies_there_as_it_is_is_read(tmp_path):
    """As h5py leaves what does not shrink: its filter is skipped, which the table of chunks says."""
    need_filter(tmp_path, "zstd")
    path, values = tmp_path / "cube.nc", np.random.default_rng(0).integers(0, 256, DECLARED, "u1")
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("i", DECLARED)
        file.createVariable("x", "u1", ("i",), compression="zstd", shuffle=False, chunksizes=(DECLARED,))[:] = values
    content = bytearray(path.read_bytes())
    frame, table = content.index(b"\x28\xb5\x2f\xfd"), content.index(b"TREE\x01") + 24
    content[table : table + 8] = DECLARED.to_bytes(4, "little") + (1).to_bytes(4, "little")
    content[frame : frame + DECLARED] = values.tobytes()
    path.write_bytes(content)
    with rc.set_options(memory="2 MB"):
        assert (rc.load(path).x.values == values).all()


def test_what_the_newer_form_unpacks_to_is_counted_or_left_to_a_process_of_its_own(tmp_path):
    with rc.set_options(memory="1 MB"):
        with pytest.raises(CorruptFileError, match=r"a chunk unpacks to more than the 0\.0081 MB"):
            rc.load(foreign(tmp_path / "one.nc", "in one chunk"))
        message = (
            r"many\.nc: expected chunks of which .*, got a table of chunks of HDF5 1\.10 or later; read it in a proc"
        )
        with pytest.raises(CorruptFileError, match=message):
            rc.load(foreign(tmp_path / "many.nc", "in a newer table"))


def test_what_is_packed_twice_is_left_to_a_process_of_its_own(tmp_path):
    path = foreign(tmp_path / "twice.nc", "twice")
    with pytest.raises(
        CorruptFileError, match=r"twice\.nc: .*, got packings by the filters 1, 1 of HDF5; read it in a pro"
    ):
        rc.load(path)
    assert rc.load(path, untrusted=True).x.values.tolist() == [0] * 1000


def test_a_chunk_counts_beside_the_values(tmp_path):
    with netCDF4.Dataset(tmp_path / "cube.nc", "w") as file:
        file.createDimension("i", 1_000_000)
        file.createVariable("x", "f8", ("i",), zlib=True, chunksizes=(1_000_000,))[:] = np.zeros(1_000_000)
    message = "expected a cube within 10 MB, got 8 MB declared and 8 MB beside for a chunk, most of it by 'x'"
    with rc.set_options(memory="10 MB"), pytest.raises(MemoryLimitError, match=message):
        rc.load(tmp_path / "cube.nc")


def test_damaged_tables_of_chunks_are_told(bomb):
    content = bomb.read_bytes()
    tree = content.index(b"TREE\x01")
    for place in range(tree, tree + 120, 4):
        bomb.write_bytes(content[:place] + b"\xfe" * 4 + content[place + 4 :])
        with (
            rc.set_options(memory="100 MB"),
            pytest.raises(CorruptFileError, match=r"bomb\.nc: not readable as a cube"),
        ):
            rc.load(bomb)
